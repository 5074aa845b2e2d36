"""The exceptions that a user can meet. Each names its subject, the reason and a hint, and has a stable code.

The quarantine table, the API and the command line share the codes. An error marked with ``*`` is retryable: the same action on the
same input may succeed later. Any other error is final: it comes back until the input, the parameters or the machine are changed::

    RealframeError                        realframe
    ├── ParamsError                       params.invalid
    ├── SetupError                        setup.incomplete
    │   ├── ServiceError *                setup.service
    │   └── WeightsError                  setup.weights
    ├── DiskFullError *                   machine.disk-full
    ├── DatasetError                      dataset.unusable
    │   ├── LabelConflictError            dataset.label-conflict
    │   ├── ShortcutError                 dataset.shortcut
    │   └── TooFewItemsError              dataset.too-few
    ├── MediaError *                      media.unusable         (one file; the run continues without it)
    │   ├── EmptyFileError                media.empty
    │   ├── UnreadableFileError *         media.unreadable
    │   ├── NotMediaError                 media.not-media
    │   ├── NoVideoStreamError            media.no-video-stream
    │   ├── UndecodableError              media.undecodable
    │   ├── LimitExceededError *          media.limit-exceeded
    │   ├── TooSmallError                 media.too-small
    │   ├── UnlabeledError                media.unlabeled
    │   ├── NoUsableFrameError            media.no-usable-frame
    │   ├── NotScoredError *              media.not-scored
    │   ├── DecoderCrashError             media.decoder-crash
    │   ├── DetectorCrashError            media.detector-crash
    │   └── TakenDownError                media.taken-down
    ├── RunError                          run.failed
    ├── RegistryError                     registry.refused
    │   ├── GateError                     registry.gate
    │   │   └── MissingGateResultError *  registry.gate-missing
    │   ├── DecisionBusyError *           registry.busy
    │   └── AccountError                  registry.account
    ├── MetadataError *                   metadata.unavailable
    │   ├── UnknownRecordError            metadata.unknown-record
    │   └── LedgerError                   metadata.ledger
    └── RequestError                      request.refused        (of the web application; more in ``web/request_errors.py``)
        ├── ForbiddenError                request.forbidden
        └── NotFoundError                 request.not-found
"""

from typing import ClassVar

ERROR_FILE_VARIABLE = "REALFRAME_ERROR_FILE"
"""The environment variable with the file to which a stage writes the error that ends it, for the process that runs the stage."""


class RealframeError(Exception):
    """An error that a user can understand and act on.

    Args:
        subject: what the error is about: a path, a parameter, a version.
        reason: why it failed, in words that a user understands.
        hint: what to do about it; empty where nothing can be done.

    Attributes:
        code: a stable name of the kind of error.
        is_retryable: whether the same action on the same input may succeed later.
    """

    code: ClassVar[str] = "realframe"
    is_retryable: ClassVar[bool] = False

    def __init__(self, subject: object, reason: str, hint: str = "") -> None:
        super().__init__(subject, reason, hint)  # all arguments, so that the error survives pickling between processes
        self.subject = str(subject)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return ". ".join(part for part in (f"{self.subject}: {self.reason}", self.hint) if part)


def is_retryable_code(code: str) -> bool:
    """Return whether errors with this code are retryable; False for a code that no error has."""
    pending = [RealframeError]
    while pending:
        error_class = pending.pop()
        if error_class.code == code:
            return error_class.is_retryable
        pending.extend(error_class.__subclasses__())
    return False


class ParamsError(RealframeError):
    """A parameter or a recipe is not valid."""

    code = "params.invalid"


class SetupError(RealframeError):
    """The machine lacks a program, a package or a setting."""

    code = "setup.incomplete"


class ServiceError(SetupError):
    """A server that a setting names does not answer, or refuses a request."""

    code = "setup.service"
    is_retryable = True


class WeightsError(SetupError):
    """Pretrained weights are missing."""

    code = "setup.weights"


class DiskFullError(RealframeError):
    """The disk of a folder is full."""

    code = "machine.disk-full"
    is_retryable = True


class DatasetError(RealframeError):
    """A dataset cannot be used."""

    code = "dataset.unusable"


class LabelConflictError(DatasetError):
    """The same bytes have both labels."""

    code = "dataset.label-conflict"


class ShortcutError(DatasetError):
    """File facts alone separate the classes."""

    code = "dataset.shortcut"


class TooFewItemsError(DatasetError):
    """A dataset has too few media items, or a class is missing."""

    code = "dataset.too-few"


class MediaError(RealframeError):
    """One file cannot be used; it is quarantined and the run continues. Retryable itself, since its cause may not be in the file."""

    code = "media.unusable"
    is_retryable = True


class EmptyFileError(MediaError):
    """A file has 0 bytes."""

    code = "media.empty"
    is_retryable = False


class UnreadableFileError(MediaError):
    """The operating system does not allow reading the file, or the file changes while it is read."""

    code = "media.unreadable"


class NotMediaError(MediaError):
    """The content of a file is neither an image nor a video, whatever its name."""

    code = "media.not-media"
    is_retryable = False


class NoVideoStreamError(MediaError):
    """A media file has no pictures, such as a sound recording."""

    code = "media.no-video-stream"
    is_retryable = False


class UndecodableError(MediaError):
    """A file is truncated or damaged, or its codec is not supported by this FFmpeg."""

    code = "media.undecodable"
    is_retryable = False


class LimitExceededError(MediaError):
    """A file exceeds a limit: size, duration, pixels, memory or time, of which the last two depend on the machine's load."""

    code = "media.limit-exceeded"


class TooSmallError(MediaError):
    """A picture is smaller, or a video shorter, than what `harmonize` cuts out of it."""

    code = "media.too-small"
    is_retryable = False


class UnlabeledError(MediaError):
    """Neither the folder nor a CSV file labels the file as real or fake."""

    code = "media.unlabeled"
    is_retryable = False


class NoUsableFrameError(MediaError):
    """Cleaning dropped every frame of a file."""

    code = "media.no-usable-frame"
    is_retryable = False


class NotScoredError(MediaError):
    """A file cannot be labeled, because no detector has scored it."""

    code = "media.not-scored"


class DecoderCrashError(MediaError):
    """A library failed at a file in a way that it does not document, or the process that decoded the file ended."""

    code = "media.decoder-crash"
    is_retryable = False


class DetectorCrashError(MediaError):
    """The detector's process ended at this file on each attempt."""

    code = "media.detector-crash"
    is_retryable = False


class TakenDownError(MediaError):
    """The use of a file was withdrawn on request."""

    code = "media.taken-down"
    is_retryable = False


class RunError(RealframeError):
    """A pipeline run failed."""

    code = "run.failed"


class RegistryError(RealframeError):
    """An action on the model registry or a review is refused."""

    code = "registry.refused"


class GateError(RegistryError):
    """The gate's rules do not allow an approval."""

    code = "registry.gate"


class MissingGateResultError(GateError):
    """The gate's result is not computed yet for the version, champion, rules and evidence as they are now."""

    code = "registry.gate-missing"
    is_retryable = True


class DecisionBusyError(RegistryError):
    """Another process of this machine is recording a decision. The same action may be tried again after ``wait_s`` whole seconds."""

    code = "registry.busy"
    is_retryable = True
    wait_s: ClassVar[int] = 5


class AccountError(RegistryError):
    """A name or password is wrong, or the role does not allow the decision."""

    code = "registry.account"


class MetadataError(RealframeError):
    """The metadata store cannot be reached, or holds unexpected content."""

    code = "metadata.unavailable"
    is_retryable = True


class UnknownRecordError(MetadataError):
    """A name or id belongs to no record, or to several."""

    code = "metadata.unknown-record"
    is_retryable = False


class LedgerError(MetadataError):
    """The ledger's chain is broken, or another writer appended first."""

    code = "metadata.ledger"
    is_retryable = False


class RequestError(RealframeError):
    """The web application refuses a request."""

    code = "request.refused"


class ForbiddenError(RequestError):
    """The user's role does not allow the request."""

    code = "request.forbidden"


class NotFoundError(RequestError):
    """The resource does not exist, or the user may not see it."""

    code = "request.not-found"
