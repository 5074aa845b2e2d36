"""The sections of params.yaml: the type and range of each parameter, and which values contradict each other.

Those that decide the bytes of a frame are in ``frame_sections.py``.
"""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from realframe.config.frame_sections import AugmentParams, Section


class ShortcutParams(Section):
    """How the audit of file facts works, and when it stops the run."""

    folds: int = Field(ge=2, le=20)
    limit: float = Field(gt=0.5, le=1)
    allow_shortcuts: bool


class BalanceParams(Section):
    """Which items are in the dataset and how its classes are balanced."""

    kinds: tuple[Literal["image", "video"], ...] = Field(min_length=1)
    method: Literal["undersample", "oversample", "class_weights", "smote", "none"]


class SplitParams(Section):
    """How items are split into train, val and test."""

    val: float = Field(gt=0, le=0.5)
    test: float = Field(gt=0, le=0.5)
    near_duplicate_distance: int = Field(ge=-1, le=64)
    min_per_class: int = Field(ge=1)


HeadKind = Literal["gap", "lstm", "simple_rnn", "gru", "bilstm_attention", "transformer"]


class HeadParams(Section):
    """The head on the backbone: ``gap`` scores each frame by itself, the others score a clip's sequence of frames."""

    kind: HeadKind
    length: int = Field(ge=1, le=1024)
    units: int = Field(ge=1)
    dense: int = Field(ge=0)
    dropout: float = Field(ge=0, le=0.9)
    standardize: bool
    warm_start: bool

    @property
    def scores_clips(self) -> bool:
        """Whether the head scores a whole clip at once."""
        return self.kind != "gap"


class _PhaseParams(Section):
    epochs: int = Field(ge=1)
    min_steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)


class Phase1Params(_PhaseParams):
    """The first phase: training the head alone, or the whole network if ``frozen`` is false."""

    frozen: bool


class Phase2Params(_PhaseParams):
    """The second phase: training the last layers of the backbone as well."""

    unfreeze_last: int = Field(ge=0)
    align_to_block: bool


class ReduceLrParams(Section):
    """Keras' ReduceLROnPlateau."""

    patience: int = Field(ge=0)
    factor: float = Field(gt=0, lt=1)


class ActivationParams(Section):
    """The cache of the frozen layers' activations."""

    cache: bool
    views: int = Field(ge=1, le=64)


class TrainParams(Section):
    """How the detector is trained."""

    backbone: str
    weights: str
    head: HeadParams
    batch_size: int = Field(ge=1)
    augment: AugmentParams
    phase1: Phase1Params
    phase2: Phase2Params
    early_stopping: int = Field(ge=1)
    reduce_lr: ReduceLrParams
    activations: ActivationParams

    @model_validator(mode="after")
    def _check_phases(self) -> Self:
        if not self.phase1.frozen and self.phase2.unfreeze_last:
            raise ValueError("phase1.frozen is false, so phase2.unfreeze_last has no layer to unfreeze; set it to 0")
        if not self.phase1.frozen and self.activations.cache:
            raise ValueError("phase1.frozen is false, so there are no frozen activations; set activations.cache to false")
        return self

    @model_validator(mode="after")
    def _check_clip_head(self) -> Self:
        if self.head.scores_clips and not self.phase1.frozen:
            raise ValueError(f"head.kind {self.head.kind} learns from the features of a frozen backbone; set phase1.frozen to true")
        if self.head.scores_clips and self.phase2.unfreeze_last:
            raise ValueError(f"head.kind {self.head.kind} has no second phase; set phase2.unfreeze_last to 0")
        return self


class EvaluateParams(Section):
    """How the detector is evaluated."""

    aggregate: Literal["mean", "median", "top_k", "confident", "auto"]
    bootstrap: int = Field(ge=100)
    error: float = Field(gt=0, le=0.5)
    min_cross_source_auc: float = Field(ge=0.5, le=1)
    leave_one_generator_out: bool
    source_folds: int = Field(ge=0, le=20)
    robustness_items: int = Field(ge=0)
    robustness_frames: int = Field(ge=1)
    show_media: bool

    @field_validator("source_folds")
    @classmethod
    def _check_source_folds(cls, value: int) -> int:
        if value == 1:
            raise ValueError("one fold would leave out every source; set it to at least 2, or to 0 for none")
        return value
