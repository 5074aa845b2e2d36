"""The section ``tune`` of the parameters: the hyperparameter search, and which values of ``train`` it may change."""

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from realframe.config.frame_sections import Section
from realframe.config.sections import TrainParams
from realframe.config.yaml_files import merge, nest

TUNABLE = (
    "train.head.units",
    "train.head.dense",
    "train.head.dropout",
    "train.batch_size",
    "train.phase1.epochs",
    "train.phase1.learning_rate",
    "train.phase1.weight_decay",
)
"""The keys that a search may change. Other keys of ``train`` change the features or what serving needs."""


class SearchRange(Section):
    """All values from ``min`` to ``max``, both included; with ``log`` they are sampled on a logarithmic scale."""

    min: int | float
    max: int | float
    log: bool = False


class TuneParams(Section):
    """The hyperparameter search before the training; without trials there is none."""

    trials: int = Field(ge=0)
    objective: Literal["val_loss", "val_auc"]
    time_limit_s: float = Field(gt=0)
    space: dict[str, tuple[int | float, ...] | SearchRange]

    @field_validator("space", mode="before")
    @classmethod
    def _check_form(cls, space: object) -> object:
        for key, candidates in space.items() if isinstance(space, Mapping) else ():
            if key not in TUNABLE:
                raise ValueError(f"{key} cannot be searched; choose from: {', '.join(TUNABLE)}")
            fault = _find_fault(candidates.model_dump() if isinstance(candidates, SearchRange) else candidates)
            if fault:
                raise ValueError(f"{key}: {candidates!r} {fault}; write a list of numbers, or {{min: , max: , log: true}}")
        return space

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if self.trials and not self.space:
            raise ValueError(f"trials is {self.trials}, but space is empty; set trials to 0 or fill space")
        return self


def replace_train_values(train: TrainParams, values: Mapping[str, Any]) -> TrainParams:
    """Return ``train`` with other values, by dotted keys such as ``train.batch_size``. Raises pydantic's ValidationError."""
    changed: dict[str, Any] = {"train": train.model_dump()}
    for key, value in values.items():
        changed = merge(changed, nest(key, value))
    return TrainParams.model_validate(changed["train"])


def _find_fault(candidates: object) -> str:
    """Return what is wrong with the candidate values of a key, in words; empty if nothing is."""
    if isinstance(candidates, list | tuple):
        return "" if candidates and all(_is_number(value) for value in candidates) else "is not a list of numbers"
    if not (isinstance(candidates, Mapping) and {"min", "max"} <= set(candidates) <= {"min", "max", "log"}):
        return "is neither a list nor a range"
    low, high, log = candidates["min"], candidates["max"], candidates.get("log", False)
    if not (_is_number(low) and _is_number(high) and isinstance(log, bool)):
        return "has a bound that is not a number, or a log that is neither true nor false"
    if low >= high:
        return "has a min that is not less than its max"
    return "has log: true, so its min must be greater than 0" if log and low <= 0 else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
