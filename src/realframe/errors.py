"""Every error that a user can meet. Each names the thing, the reason and the hint, and has a stable code.

The code is what the quarantine table, the API and the command line share::

    RealframeError                    realframe
    ├── ParamsError                  params.invalid
    ├── SetupError                   setup.incomplete
    │   └── WeightsError             setup.weights
    ├── DatasetError                 dataset.unusable
    │   ├── LabelConflictError       dataset.label-conflict
    │   ├── ShortcutError            dataset.shortcut
    │   └── TooFewItemsError         dataset.too-few
    ├── MediaError                   media.unusable        (one file; the run goes on without it)
    │   ├── EmptyFileError           media.empty
    │   ├── UnreadableFileError      media.unreadable
    │   ├── NotMediaError            media.not-media
    │   ├── NoVideoStreamError       media.no-video-stream
    │   ├── UndecodableError         media.undecodable
    │   ├── OverLimitError           media.over-limit
    │   ├── TooSmallError            media.too-small
    │   ├── UnlabelledError          media.unlabelled
    │   ├── NoUsableFrameError       media.no-usable-frame
    │   ├── CrashesDetectorError     media.crashes
    │   └── TakenDownError           media.taken-down
    ├── RunError                     run.failed
    ├── RegistryError                registry.refused
    │   ├── GateError                registry.gate
    │   └── AccountError             registry.account
    ├── MetadataError                metadata.unavailable
    │   ├── UnknownError             metadata.unknown
    │   └── LedgerError              metadata.ledger
    └── RequestError                 request.refused      (of the web application)
        ├── BodyError                request.body
        ├── AuthenticationError              request.caller
        ├── ForbiddenError           request.forbidden
        ├── NotFoundError            request.not-there
        ├── GoneError             request.not-kept
        ├── RequestTimeoutError                request.slow
        ├── TooLargeError            request.too-large
        ├── BodyTypeError            request.body-type
        ├── InsufficientStorageError              request.no-room
        └── RetryLaterError               request.later
            ├── BusyError            request.busy
            └── RateLimitError        request.too-often
"""

from typing import ClassVar


class RealframeError(Exception):
    """Something a user can understand and mend.

    Args:
        thing: what it is about: a path, a key, a version.
        reason: why it failed, in words a user understands.
        hint: what to do about it; empty where nothing can be done.
    """

    code: ClassVar[str] = "realframe"

    def __init__(self, thing: object, reason: str, hint: str = "") -> None:
        super().__init__(thing, reason, hint)  # all arguments, so that it survives pickling between processes
        self.thing = str(thing)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return ". ".join(part for part in (f"{self.thing}: {self.reason}", self.hint) if part)


class ParamsError(RealframeError):
    """A parameter or a recipe that can't be used."""

    code = "params.invalid"


class SetupError(RealframeError):
    """Something the machine lacks."""

    code = "setup.incomplete"


class WeightsError(SetupError):
    """Pretrained weights that can't be had."""

    code = "setup.weights"


class DatasetError(RealframeError):
    """A dataset that can't be used."""

    code = "dataset.unusable"


class LabelConflictError(DatasetError):
    """The same bytes stand under both labels."""

    code = "dataset.label-conflict"


class ShortcutError(DatasetError):
    """File facts alone tell the classes apart."""

    code = "dataset.shortcut"


class TooFewItemsError(DatasetError):
    """Too few media items, or a class is missing."""

    code = "dataset.too-few"


class MediaError(RealframeError):
    """One file that can't be used; it goes to quarantine and the run goes on."""

    code = "media.unusable"


class EmptyFileError(MediaError):
    """A file of 0 bytes."""

    code = "media.empty"


class UnreadableFileError(MediaError):
    """A file that the operating system won't let us read."""

    code = "media.unreadable"


class NotMediaError(MediaError):
    """A file that is no image or video, whatever its name says."""

    code = "media.not-media"


class NoVideoStreamError(MediaError):
    """A media file without pictures, such as a sound recording."""

    code = "media.no-video-stream"


class UndecodableError(MediaError):
    """A truncated or damaged file, or one in a codec that this FFmpeg lacks."""

    code = "media.undecodable"


class OverLimitError(MediaError):
    """A file beyond the size, duration, pixel or time limits."""

    code = "media.over-limit"


class TooSmallError(MediaError):
    """A picture smaller, or a video shorter, than what `harmonize` keeps of it."""

    code = "media.too-small"


class UnlabelledError(MediaError):
    """A file of which neither folder nor CSV says whether it is real or fake."""

    code = "media.unlabelled"


class NoUsableFrameError(MediaError):
    """A file all of whose frames were dropped by cleaning."""

    code = "media.no-usable-frame"


class CrashesDetectorError(MediaError):
    """A file at which the detector's process ended each time."""

    code = "media.crashes"


class TakenDownError(MediaError):
    """A file that somebody asked to use no longer."""

    code = "media.taken-down"


class RunError(RealframeError):
    """A pipeline run that failed."""

    code = "run.failed"


class RegistryError(RealframeError):
    """A registry or review action that is refused."""

    code = "registry.refused"


class GateError(RegistryError):
    """An approval that the rules of the gate don't allow."""

    code = "registry.gate"


class AccountError(RegistryError):
    """A name or a password that is not right, or a role that may not decide."""

    code = "registry.account"


class MetadataError(RealframeError):
    """The metadata store can't be reached or holds what it should not."""

    code = "metadata.unavailable"


class UnknownError(MetadataError):
    """What was asked for is not there, or is no name of one thing."""

    code = "metadata.unknown"


class LedgerError(MetadataError):
    """The ledger's chain is broken, or a second writer came first."""

    code = "metadata.ledger"


class RequestError(RealframeError):
    """A request to the web application that is refused."""

    code = "request.refused"


class BodyError(RequestError):
    """A body that is cut short, or is not what its header says."""

    code = "request.body"


class AuthenticationError(RequestError):
    """Nobody says who asks, or with a key or a session that is not valid."""

    code = "request.caller"


class ForbiddenError(RequestError):
    """Something that the caller's role does not allow."""

    code = "request.forbidden"


class NotFoundError(RequestError):
    """Something that is not there, or not for the caller's eyes."""

    code = "request.not-there"


class GoneError(RequestError):
    """Something that would need a file which is kept no more."""

    code = "request.not-kept"


class RequestTimeoutError(RequestError):
    """A body that comes so slowly that nobody waits for it."""

    code = "request.slow"


class TooLargeError(RequestError):
    """A file larger than this service takes."""

    code = "request.too-large"


class BodyTypeError(RequestError):
    """A body in a format that this address does not read."""

    code = "request.body-type"


class InsufficientStorageError(RequestError):
    """A disk that is full."""

    code = "request.no-room"


class RetryLaterError(RequestError):
    """A request that may be sent again after a while.

    Args:
        thing: as in every error.
        reason: as in every error.
        hint: as in every error.
        wait_s: whole seconds after which it is worth another try.
    """

    code = "request.later"

    def __init__(self, thing: object, reason: str, hint: str = "", wait_s: int = 1) -> None:
        super().__init__(thing, reason, hint)
        self.args = (thing, reason, hint, wait_s)
        self.wait_s = wait_s


class BusyError(RetryLaterError):
    """The queue is full."""

    code = "request.busy"


class RateLimitError(RetryLaterError):
    """More requests in a minute than one caller is allowed."""

    code = "request.too-often"
