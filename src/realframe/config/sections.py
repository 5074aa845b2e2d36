"""The sections of params.yaml: what each knob may be, and which of them contradict each other."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of the parameters: strict, and never changed once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(Section):
    """What one file may cost; bytes, pixels, seconds, MiB."""

    max_bytes: int = Field(gt=0)
    max_pixels: int = Field(gt=0)
    max_duration_s: float = Field(gt=0)
    timeout_s: float = Field(gt=0)
    max_memory_mb: int = Field(ge=256)


class Sampling(Section):
    """Which frames of a video are taken: exactly one of the three."""

    fps: float | None = Field(default=None, gt=0)
    every: int | None = Field(default=None, ge=1)
    uniform: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"name exactly one of fps, every, uniform (given: {sorted(self.model_fields_set) or 'none'})")
        return self


class Extract(Section):
    """How frames leave a video."""

    sampling: Sampling
    max_frames: int = Field(ge=1, le=4096)
    encoding: Literal["png", "jpeg"]


class Clean(Section):
    """What a frame looks like to the model, and which frames are dropped."""

    size: int = Field(ge=32, le=1024)
    fit: Literal["crop", "pad", "stretch"]
    min_std: float = Field(ge=0, le=255)
    min_sharpness: float = Field(ge=0)
    duplicate_distance: int = Field(ge=-1, le=64)


class Crop(Section):
    """The side of the square that is kept of each picture, by kind, in pixels; 0 keeps all of it."""

    image: int = Field(ge=0, le=4096, multiple_of=2)
    video: int = Field(ge=0, le=4096, multiple_of=2)

    def of(self, kind: Literal["image", "video"]) -> int:
        """Return the side for a kind."""
        return self.image if kind == "image" else self.video


class Harmonization(Section):
    """What takes file facts out of the media of both classes before anything else looks at them."""

    crop: Crop
    seconds: float = Field(ge=0)
    reencode: bool
    crf: int = Field(ge=0, le=51)
    jpeg_quality: int = Field(ge=1, le=100)
    fps: float = Field(ge=0, le=120)
    match: tuple[Literal["pixels", "duration_s"], ...]

    @property
    def rewrites(self) -> bool:
        """It makes other files of the originals, rather than leave some out."""
        return self.reencode or self.crop.image > 0 or self.crop.video > 0 or self.seconds > 0


class Shortcuts(Section):
    """How the file facts are audited, and when the audit stops the run."""

    folds: int = Field(ge=2, le=20)
    limit: float = Field(gt=0.5, le=1)
    allow_shortcuts: bool


class Balance(Section):
    """Which items the dataset takes and how its classes are balanced."""

    kinds: tuple[Literal["image", "video"], ...] = Field(min_length=1)
    method: Literal["undersample", "oversample", "class_weights", "smote", "none"]


class Split(Section):
    """How items are dealt to train, val and test."""

    val: float = Field(gt=0, le=0.5)
    test: float = Field(gt=0, le=0.5)
    near_duplicate_distance: int = Field(ge=-1, le=64)
    min_per_class: int = Field(ge=1)


HeadKind = Literal["gap", "lstm", "simple_rnn", "gru", "bilstm_attention", "transformer"]


class Head(Section):
    """What stands on the backbone: ``gap`` looks at each frame by itself, the others at a clip's sequence of frames."""

    kind: HeadKind
    length: int = Field(ge=1, le=1024)
    units: int = Field(ge=1)
    dense: int = Field(ge=0)
    dropout: float = Field(ge=0, le=0.9)
    normalize: bool
    warm_start: bool

    @property
    def sequential(self) -> bool:
        """It scores a whole clip at once."""
        return self.kind != "gap"


class Augment(Section):
    """Random changes of a training frame that must not change its verdict."""

    flip: bool
    rotation: float = Field(ge=0, le=0.5)
    zoom: float = Field(ge=0, le=0.5)
    brightness: Share
    contrast: Share


class _Phase(Section):
    epochs: int = Field(ge=1)
    min_steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)


class Phase1(_Phase):
    """The first phase: the head alone, or the whole network where ``frozen`` is false."""

    frozen: bool


class Phase2(_Phase):
    """The second phase: the last layers of the backbone too."""

    unfreeze_last: int = Field(ge=0)
    align_to_block: bool


class ReduceLr(Section):
    """ReduceLROnPlateau."""

    patience: int = Field(ge=0)
    factor: float = Field(gt=0, lt=1)


class Activations(Section):
    """The cache of what the frozen layers compute."""

    cache: bool
    views: int = Field(ge=1, le=64)


class Train(Section):
    """How the detector learns."""

    backbone: str
    weights: str
    head: Head
    batch_size: int = Field(ge=1)
    augment: Augment
    phase1: Phase1
    phase2: Phase2
    early_stopping: int = Field(ge=1)
    reduce_lr: ReduceLr
    activations: Activations

    @model_validator(mode="after")
    def _phases_agree(self) -> Self:
        if not self.phase1.frozen and self.phase2.unfreeze_last:
            raise ValueError("phase1.frozen is false, so nothing is left for phase2.unfreeze_last to unfreeze; set it to 0")
        if not self.phase1.frozen and self.activations.cache:
            raise ValueError("phase1.frozen is false, so there are no frozen activations; set activations.cache to false")
        return self

    @model_validator(mode="after")
    def _a_clip_head_stands_on_features(self) -> Self:
        if self.head.sequential and not self.phase1.frozen:
            raise ValueError(f"head.kind {self.head.kind} learns from the features of a frozen backbone; set phase1.frozen to true")
        if self.head.sequential and self.phase2.unfreeze_last:
            raise ValueError(f"head.kind {self.head.kind} has no second phase; set phase2.unfreeze_last to 0")
        return self


class Evaluate(Section):
    """How the evidence is computed."""

    aggregate: Literal["mean", "median", "top_k", "confident", "auto"]
    bootstrap: int = Field(ge=100)
    error: float = Field(gt=0, le=0.5)
    leave_one_generator_out: bool
    robustness_items: int = Field(ge=0)
    robustness_frames: int = Field(ge=1)
    show_media: bool
