"""Every error that a user can meet. Each names the thing, the reason and the cure, and has a stable code.

The code is what the quarantine table, the API and the command line share::

    BonafideError                    bonafide
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
    │   └── TakenDownError           media.taken-down
    ├── RunError                     run.failed
    ├── RegistryError                registry.refused
    │   ├── GateError                registry.gate
    │   └── AccountError             registry.account
    └── MetadataError                metadata.unavailable
        └── LedgerError              metadata.ledger
"""

from typing import ClassVar


class BonafideError(Exception):
    """Something a user can understand and mend.

    Args:
        thing: what it is about: a path, a key, a version.
        reason: why it failed, in words a user understands.
        cure: what to do about it; empty where nothing can be done.
    """

    code: ClassVar[str] = "bonafide"

    def __init__(self, thing: object, reason: str, cure: str = "") -> None:
        super().__init__(thing, reason, cure)  # all arguments, so that it survives pickling between processes
        self.thing = str(thing)
        self.reason = reason
        self.cure = cure

    def __str__(self) -> str:
        return ". ".join(part for part in (f"{self.thing}: {self.reason}", self.cure) if part)


class ParamsError(BonafideError):
    """A parameter or a recipe that can't be used."""

    code = "params.invalid"


class SetupError(BonafideError):
    """Something the machine lacks."""

    code = "setup.incomplete"


class WeightsError(SetupError):
    """Pretrained weights that can't be had."""

    code = "setup.weights"


class DatasetError(BonafideError):
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


class MediaError(BonafideError):
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
    """A picture smaller, or a video shorter, than what the cure keeps of it."""

    code = "media.too-small"


class UnlabelledError(MediaError):
    """A file of which neither folder nor CSV says whether it is real or fake."""

    code = "media.unlabelled"


class NoUsableFrameError(MediaError):
    """A file all of whose frames were dropped by cleaning."""

    code = "media.no-usable-frame"


class TakenDownError(MediaError):
    """A file that somebody asked to use no longer."""

    code = "media.taken-down"


class RunError(BonafideError):
    """A pipeline run that failed."""

    code = "run.failed"


class RegistryError(BonafideError):
    """A registry or review action that is refused."""

    code = "registry.refused"


class GateError(RegistryError):
    """An approval that the rules of the gate don't allow."""

    code = "registry.gate"


class AccountError(RegistryError):
    """A name or a password that is not right, or a role that may not decide."""

    code = "registry.account"


class MetadataError(BonafideError):
    """The metadata store can't be reached or holds what it should not."""

    code = "metadata.unavailable"


class LedgerError(MetadataError):
    """The ledger's chain is broken, or a second writer came first."""

    code = "metadata.ledger"
