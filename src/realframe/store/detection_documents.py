"""The result of a detection, and the record of an uploaded file.

The command line, the store, the API and the web pages all use these classes.
"""

from typing import Literal

from pydantic import Field

from realframe.provenance.origin import FileCheck, Provenance
from realframe.statistics.conformal import UncertaintyBand, Verdict
from realframe.store.document_base import Document, DocumentPart, MediaKind

FRAMES_SPRITE, HEATMAPS_SPRITE = "frames.jpg", "heat.jpg"
"""File names of the sprites of a detection, also in addresses: the frames that were scored, and the same frames with their heatmaps."""
Step = Literal["received", "probing", "decoding", "scoring", "explaining", "done"]
"""The steps of a detection, in order."""
State = Literal["queued", "running", "done"]
Lane = Literal["live", "batch"]
LANE_PRIORITIES: dict[Lane, int] = {"live": 0, "batch": 1}
"""Priority by lane; the lowest number is served first."""


class FileFacts(DocumentPart):
    """The facts that probing a file gives; units as in ``data/media.parquet``."""

    kind: MediaKind
    container: str
    codec: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    fps: float = Field(ge=0)
    frames: int = Field(ge=0)
    duration_s: float = Field(ge=0)
    bytes: int = Field(gt=0)


class ProbabilityInterval(DocumentPart):
    """The 95 % confidence interval of the probability."""

    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class FrameScore(DocumentPart):
    """The score of one sampled frame.

    Attributes:
        time_s: presentation time, seconds since the first frame.
        score: output of the network, in [0, 1], not calibrated; None if the detector scores the clip as a whole.
        attention: attention weight of the frame; the weights of a clip sum to 1. None if the detector has no attention.
    """

    time_s: float = Field(ge=0)
    score: float | None = Field(ge=0, le=1)
    attention: float | None = Field(ge=0, le=1)

    @property
    def value(self) -> float | None:
        """The score, or else the attention weight; None if there is neither."""
        return self.attention if self.score is None else self.score


class Moment(DocumentPart):
    """An interval of a video whose frames look most AI-generated.

    Attributes:
        start_s: time of its first frame, seconds since the first frame of the video.
        end_s: time of its last frame.
        peak_s: time of its most suspicious frame.
        score: score of that frame, or its attention weight if frames have no score.
    """

    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)
    peak_s: float = Field(ge=0)
    score: float = Field(ge=0, le=1)


class Caution(DocumentPart):
    """A reason why the result is less reliable than usual: a stable code and a sentence."""

    code: Literal[
        "quality.damaged",
        "quality.extra-data",
        "quality.more-pictures",
        "quality.interlaced",
        "quality.hdr",
        "quality.tiny",
        "quality.compressed",
        "quality.few-frames",
        "quality.unstable",
        "competence.overridden",
    ]
    message: str


class Abstention(DocumentPart):
    """Why a detector gives no verdict on any file of a kind: every verdict of that kind is ``uncertain``.

    Attributes:
        code: ``too-few-sources`` (the error on unseen sources cannot be measured), ``low-roc-auc`` (it was measured, and is too high) or
            ``rendered-training`` (the detector was trained on rendered media, a demo).
        reason: the same as a sentence for a reader without training in statistics.
    """

    code: Literal["too-few-sources", "low-roc-auc", "rendered-training"]
    reason: str = Field(min_length=1)


class Tiles(DocumentPart):
    """The layout of the frame pictures in the sprites ``FRAMES_SPRITE`` and ``HEATMAPS_SPRITE``: row by row, from the upper left.

    Attributes:
        size: side of a tile, pixels.
        columns: tiles in a row.
        frame_indices: index of each tile's frame in ``Detection.frames``, ascending.
    """

    size: int = Field(gt=0)
    columns: int = Field(gt=0)
    frame_indices: tuple[int, ...]

    @property
    def width(self) -> int:
        """Width of the sprite, pixels."""
        return self.columns * self.size

    @property
    def height(self) -> int:
        """Height of the sprite, pixels."""
        return -(-len(self.frame_indices) // self.columns) * self.size

    def corner(self, tile: int) -> tuple[int, int]:
        """Return the left and the upper edge of a tile, pixels; ``tile`` is its index in ``frame_indices``."""
        row, column = divmod(tile, self.columns)
        return column * self.size, row * self.size


class Detection(DocumentPart):
    """The result of a detection on one file.

    Attributes:
        file: name of the file, as the user gave it.
        sha256: SHA-256 of the file; empty if it cannot be read.
        facts: the facts of the file; None if it is not a usable media file.
        verdict: ``real`` below the band, ``ai-generated`` above it, ``uncertain`` within it, ``not scored`` if the file cannot be used.
        probability: probability that the file is AI-generated, in [0, 1], calibrated on validation items; None if not scored.
        interval: confidence interval of the probability; None if not scored, or if the version has no reference or too few validation
            items in it.
        score: output of the network and the aggregation, before calibration; None if not scored.
        band: the probabilities for which the verdict is ``uncertain``, and the error rate of the other verdicts, of the kind of the file;
            None if not scored.
        threshold: the threshold of the binary classification, on which the evaluation's figures rest: an item with a score at or above it
            is called fake.
        frames_analyzed: number of frames that the detector scored.
        frames: the scored frames, in order of time.
        moments: the most suspicious moments, highest score first; empty for an image.
        cautions: reasons why this result is less reliable than usual.
        provenance: what the file states about its origin, never part of the score; None if it cannot be read at all.
        tiles: layout of the frame pictures in their sprites; None if there are none.
        model: the version of the detector.
        seconds: wall-clock time of ``probing``, ``decoding``, ``scoring`` and ``explaining``.
        code: code of the error (see ``realframe.errors``) for which the file was not scored; empty if it was scored.
        message: the same error as a sentence.
        abstention: why the verdict is ``uncertain`` whatever the probability; None where the detector judges files of this kind.
        damage: whether damage of the picture data was found; None if not scored, where the message says what is wrong with the file.
    """

    file: str
    sha256: str = Field(pattern="^([0-9a-f]{64})?$")
    facts: FileFacts | None
    verdict: Verdict | Literal["not scored"]
    probability: float | None = Field(ge=0, le=1)
    interval: ProbabilityInterval | None
    score: float | None = Field(ge=0, le=1)
    band: UncertaintyBand | None
    threshold: float
    frames_analyzed: int = Field(ge=0)
    frames: tuple[FrameScore, ...]
    moments: tuple[Moment, ...]
    cautions: tuple[Caution, ...]
    provenance: Provenance | None
    tiles: Tiles | None
    model: str
    seconds: dict[str, float]
    code: str = ""
    message: str = ""
    abstention: Abstention | None = None
    damage: FileCheck | None = None

    @property
    def checks(self) -> tuple[FileCheck, ...]:
        """The checks of the file beside its score: of its origin, and of its damage."""
        return (*(self.provenance.checks if self.provenance else ()), *((self.damage,) if self.damage else ()))


class Progress(DocumentPart):
    """The progress of a file: the step, and how many of its frames (or bytes) are done; 0 of 0 for a step that has no parts."""

    step: Step
    count: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)


class DetectionRecord(Document):
    """The record of an uploaded file, with the result once there is one. It stays until somebody deletes it.

    Attributes:
        detection_id: 32 hex digits; the first 16 are the time, so that ids ascend with time, and the last 16 are random.
        owner: the account that uploaded the file.
        file: name of the file, without its folder.
        bytes: size of the file.
        batch: 16 hex digits shared by files that were uploaded together; empty for a single file.
        lane: ``live`` is served before ``batch``.
        priority: priority of the lane, by which the store sorts.
        created: when the file was accepted, UTC, ISO 8601.
        state: ``queued``, ``running`` (a worker has claimed it) or ``done`` (scored, or refused with an error).
        progress: progress of the worker.
        attempts: how often a worker has started on it.
        worker: the worker that has claimed it; empty if none has.
        claimed_until: when the claim ends unless it is renewed, UTC, ISO 8601; empty if there is no claim.
        finished: when it was done; empty until then.
        result: None until it is done.
        verdict: verdict of the result; empty until then.
        model: version that gave the result; empty until then.
        shadow: whether the challenger scores the file too: ``waiting``, then ``done`` once it has, or once there is no challenger.
        has_files: whether the file and its pictures are still stored.
    """

    COLLECTION = "detections"
    KEY = "detection_id"
    INDEXES = ("state", "shadow", "owner", "batch", "created")

    detection_id: str = Field(pattern="^[0-9a-f]{32}$")
    owner: str
    file: str
    bytes: int = Field(ge=0)
    batch: str = Field(default="", pattern="^([0-9a-f]{16})?$")
    lane: Lane = "live"
    priority: int = 0
    created: str
    state: State = "queued"
    progress: Progress = Progress(step="received")
    attempts: int = Field(default=0, ge=0)
    worker: str = ""
    claimed_until: str = ""
    finished: str = ""
    result: Detection | None = None
    verdict: str = ""
    model: str = ""
    shadow: Literal["", "waiting", "done"] = ""
    has_files: bool = True
