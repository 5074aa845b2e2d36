"""All parameters of a run in one model, and what the sections ask of each other."""

from typing import Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from bonafide.params.search import Range, Tune, with_values
from bonafide.params.sections import Balance, Clean, Cure, Evaluate, Extract, Limits, Section, Shortcuts, Split, Train


class Params(Section):
    """All parameters of a run, resolved and checked."""

    recipe: str
    seed: int = Field(ge=0)
    limits: Limits
    cure: Cure
    extract: Extract
    clean: Clean
    shortcuts: Shortcuts
    balance: Balance
    split: Split
    train: Train
    tune: Tune
    evaluate: Evaluate

    @field_validator("tune")
    @classmethod
    def _what_is_tried_is_allowed(cls, tune: Tune, info: ValidationInfo) -> Tune:
        train: Train | None = info.data.get("train")
        if train is None:
            return tune  # its own fault is told
        for key, tried in tune.space.items():
            for value in (tried.min, tried.max) if isinstance(tried, Range) else tried:
                try:
                    with_values(train, {key: value})
                except ValidationError as error:
                    raise ValueError(f"space: {key} can't be {value!r}: {error.errors()[0]['msg']}") from error
        return tune

    @model_validator(mode="after")
    def _a_clip_head_gets_clips(self) -> Self:
        head, sampling = self.train.head, self.extract.sampling
        if not head.sequential:
            return self
        if self.balance.kinds != ("video",):
            raise ValueError(f"train.head.kind {head.kind} scores videos; set balance.kinds to [video] (given: {list(self.balance.kinds)})")
        most = min(self.extract.max_frames, sampling.uniform or self.extract.max_frames)
        if head.length > most:
            name = "extract.sampling.uniform" if sampling.uniform == most else "extract.max_frames"
            raise ValueError(
                f"train.head.length {head.length} asks for more frames than {name} {most} gives; lower the one or raise the other"
            )
        return self

    @model_validator(mode="after")
    def _smote_needs_features(self) -> Self:
        if self.balance.method == "smote" and not self.train.phase1.frozen:
            raise ValueError("balance.method smote interpolates features of a frozen backbone, and train.phase1.frozen is false")
        return self
