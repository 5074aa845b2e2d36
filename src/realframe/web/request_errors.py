"""The exceptions with which only the web application refuses a request; ``error_responses.py`` turns them into HTTP responses.

A ``*`` marks a retryable error, as in ``realframe.errors``::

    RequestError                      (in ``realframe.errors``)
    ├── MalformedBodyError            request.body
    ├── AuthenticationError           request.authentication
    ├── GoneError                     request.gone
    ├── RequestTimeoutError *         request.timeout
    ├── ContentTooLargeError          request.too-large
    ├── UnsupportedMediaTypeError     request.body-type
    ├── InsufficientStorageError *    request.insufficient-storage
    └── RetryLaterError *             request.retry-later
        ├── QueueFullError *          request.busy
        └── RateLimitError *          request.rate-limit
"""

from realframe.errors import RequestError


class MalformedBodyError(RequestError):
    """A request body is cut short, or differs from what its header announces."""

    code = "request.body"


class AuthenticationError(RequestError):
    """A request carries no credentials, or an API key or session that is not valid."""

    code = "request.authentication"


class GoneError(RequestError):
    """The request needs a file that has been deleted."""

    code = "request.gone"


class RequestTimeoutError(RequestError):
    """A request body arrives too slowly."""

    code = "request.timeout"
    is_retryable = True


class ContentTooLargeError(RequestError):
    """An uploaded file exceeds the size limit of this service."""

    code = "request.too-large"


class UnsupportedMediaTypeError(RequestError):
    """This address does not accept the media type of the request body."""

    code = "request.body-type"


class InsufficientStorageError(RequestError):
    """The disk is full."""

    code = "request.insufficient-storage"
    is_retryable = True


class RetryLaterError(RequestError):
    """The same request may be sent again after ``wait_s`` whole seconds."""

    code = "request.retry-later"
    is_retryable = True

    def __init__(self, subject: object, reason: str, hint: str = "", wait_s: int = 1) -> None:
        super().__init__(subject, reason, hint)
        self.args = (subject, reason, hint, wait_s)
        self.wait_s = wait_s


class QueueFullError(RetryLaterError):
    """The queue is full."""

    code = "request.busy"


class RateLimitError(RetryLaterError):
    """One user or API key sends more requests per minute than allowed."""

    code = "request.rate-limit"
