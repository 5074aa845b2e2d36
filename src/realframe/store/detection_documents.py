"""What the detector says of a file, and the record of a file handed in: one shape for the command, the store, the API and the pages."""

from typing import Literal

from pydantic import Field

from realframe.provenance.origin import Provenance
from realframe.statistics.conformal import Band, Verdict
from realframe.store.document_base import Document, Kind, Part

Step = Literal["received", "probing", "decoding", "scoring", "explaining", "done"]
"""What happens to a file, in this order."""
State = Literal["queued", "running", "done"]
Lane = Literal["live", "batch"]
RANKS: dict[Lane, int] = {"live": 0, "batch": 1}
"""In which order the lanes are served."""


class FileFacts(Part):
    """What the probe found of a file; units as in ``data/media.parquet``."""

    kind: Kind
    container: str
    codec: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    fps: float = Field(ge=0)
    frames: int = Field(ge=0)
    duration_s: float = Field(ge=0)
    bytes: int = Field(gt=0)


class Interval(Part):
    """Where the probability lies with 95 % confidence."""

    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class FrameScore(Part):
    """One frame that was looked at.

    Attributes:
        time_s: when it is shown, seconds since the first frame.
        score: what the network gives it, in [0, 1], not calibrated; None where the detector scores the clip as a whole.
        attention: its share of the clip's score, of sum 1; None where the detector has no attention.
    """

    time_s: float = Field(ge=0)
    score: float | None = Field(ge=0, le=1)
    attention: float | None = Field(ge=0, le=1)

    @property
    def value(self) -> float | None:
        """What there is to show of it: its score, else its share of the clip's; None where there is neither."""
        return self.attention if self.score is None else self.score


class Moment(Part):
    """A stretch of a video whose frames look most AI-generated.

    Attributes:
        start_s: its first frame, seconds since the first frame of the video.
        end_s: its last frame.
        peak_s: its most suspicious frame.
        score: of that frame (or its attention, where frames have no score).
    """

    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)
    peak_s: float = Field(ge=0)
    score: float = Field(ge=0, le=1)


class Caution(Part):
    """Why the answer may be worth less than usual: a stable code and a sentence."""

    code: Literal["quality.tiny", "quality.compressed", "quality.few-frames", "domain.far"]
    message: str


class Tiles(Part):
    """How the pictures of the frames lie in the two sprites ``frames.jpg`` and ``heat.jpg``: row by row, from the upper left.

    Attributes:
        size: side of a tile, pixels.
        columns: tiles in a row.
        shown: of each tile, its place in ``Detection.frames``, rising.
    """

    size: int = Field(gt=0)
    columns: int = Field(gt=0)
    shown: tuple[int, ...]

    @property
    def width(self) -> int:
        """Of a whole sprite, pixels."""
        return self.columns * self.size

    @property
    def height(self) -> int:
        """Of a whole sprite, pixels."""
        return -(-len(self.shown) // self.columns) * self.size

    def corner(self, tile: int) -> tuple[int, int]:
        """Return the left and upper edge of a tile by its place among ``shown``, pixels."""
        row, column = divmod(tile, self.columns)
        return column * self.size, row * self.size


class Detection(Part):
    """What the detector says of one file.

    Attributes:
        file: as it was named by whoever gave it.
        sha256: of its bytes; empty where it can't be read.
        facts: None where it is no media file that can be used.
        verdict: ``real`` below the band, ``ai-generated`` above it, ``uncertain`` within, ``not scored`` where the file can't be used.
        probability: that it is AI-generated, in [0, 1], calibrated on validation items; None where not scored.
        interval: of the probability; None where not scored, or where the version has no reference or too few validation items in it.
        score: what the network and the rule for items give, before it is calibrated; None where not scored.
        band: of probabilities in which the verdict is ``uncertain``, and the error of the other verdicts.
        threshold: that of two words, on which the evaluation's figures rest: an item is called fake whose score is at or above it.
        looked_at: how many frames were looked at.
        frames: each of them, in the order of time.
        moments: the most suspicious first; none in an image.
        cautions: what makes this answer worth less than usual.
        provenance: what the file says of its origin, never part of the score; None where it can't be read at all.
        tiles: how the pictures of the frames lie in their sprites; None where none were made.
        model: the version of the detector.
        seconds: wall clock of ``probing``, ``decoding``, ``scoring`` and ``explaining``.
        code: of ``realframe.errors``, why it was not scored; empty where it was.
        message: the same as a sentence.
    """

    file: str
    sha256: str = Field(pattern="^([0-9a-f]{64})?$")
    facts: FileFacts | None
    verdict: Verdict | Literal["not scored"]
    probability: float | None = Field(ge=0, le=1)
    interval: Interval | None
    score: float | None = Field(ge=0, le=1)
    band: Band
    threshold: float
    looked_at: int = Field(ge=0)
    frames: tuple[FrameScore, ...]
    moments: tuple[Moment, ...]
    cautions: tuple[Caution, ...]
    provenance: Provenance | None
    tiles: Tiles | None
    model: str
    seconds: dict[str, float]
    code: str = ""
    message: str = ""


class Progress(Part):
    """How far a file has come: the step, and of the frames (or bytes) of that step how many of how many; 0 of 0 where it has no parts."""

    step: Step
    count: int = Field(default=0, ge=0)
    of: int = Field(default=0, ge=0)


class DetectionRecord(Document):
    """A file that somebody handed in, and its answer once there is one. Whatever was accepted stands here until somebody deletes it.

    Attributes:
        detection_id: 32 hex digits, rising with time, so that the newest are the highest; the last 16 are random.
        owner: the account that handed it in.
        file: its name, without a folder, as the owner has it.
        bytes: its size.
        batch: 16 hex digits, those of files that were handed in together; empty for one alone.
        lane: ``live`` is scored before ``batch``.
        rank: of the lane, so that the store can sort by it.
        created: when it was accepted, UTC, ISO 8601.
        state: ``queued``, ``running`` (a worker has it), ``done`` (scored, or told why not).
        progress: of the worker.
        attempts: how often a worker began.
        worker: the one that has it; empty where none has.
        claimed_until: when the worker's claim ends unless it is renewed, UTC, ISO 8601; empty where none has it.
        finished: when it was done; empty until then.
        answer: None until it is done.
        verdict: that of the answer; empty until then.
        model: the version that answered; empty until then.
        shadow: the challenger's turn: ``waiting`` until it was scored by the challenger too, or found that there is none.
        media: whether the file and its pictures are still kept.
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
    rank: int = 0
    created: str
    state: State = "queued"
    progress: Progress = Progress(step="received")
    attempts: int = Field(default=0, ge=0)
    worker: str = ""
    claimed_until: str = ""
    finished: str = ""
    answer: Detection | None = None
    verdict: str = ""
    model: str = ""
    shadow: Literal["", "waiting", "done"] = ""
    media: bool = True
