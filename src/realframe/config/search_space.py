"""The section ``tune``: which values of ``train`` are searched, and how."""

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from realframe.config.sections import Section, Train
from realframe.config.yaml_files import merged, nested

TUNABLE = (
    "train.head.units",
    "train.head.dense",
    "train.head.dropout",
    "train.batch_size",
    "train.phase1.epochs",
    "train.phase1.learning_rate",
    "train.phase1.weight_decay",
)
"""What can be searched: the other values of ``train`` would change the features, or what serving needs."""


class Range(Section):
    """Every value from ``min`` to ``max``, both of them too; with ``log`` as many from 1 to 10 as from 10 to 100."""

    min: int | float
    max: int | float
    log: bool = False


class Tune(Section):
    """The search for better values of ``train`` before the training."""

    trials: int = Field(ge=0)
    objective: Literal["val_loss", "val_auc"]
    time_limit_s: float = Field(gt=0)
    space: dict[str, tuple[int | float, ...] | Range]

    @field_validator("space", mode="before")
    @classmethod
    def _readable(cls, space: object) -> object:
        for key, tried in space.items() if isinstance(space, Mapping) else ():
            if key not in TUNABLE:
                raise ValueError(f"{key} can't be searched; choose of: {', '.join(TUNABLE)}")
            fault = _fault(tried.model_dump() if isinstance(tried, Range) else tried)
            if fault:
                raise ValueError(f"{key}: {tried!r} {fault}; write a list of numbers, or {{min: , max: , log: true}}")
        return space

    @model_validator(mode="after")
    def _there_is_something_to_try(self) -> Self:
        if self.trials and not self.space:
            raise ValueError(f"trials {self.trials} asks for a search, and space names nothing to try; set trials to 0 or fill space")
        return self


def with_values(train: Train, values: Mapping[str, Any]) -> Train:
    """Return ``train`` with other values, by dotted keys such as ``train.batch_size``. Raises pydantic's ValidationError."""
    changed: dict[str, Any] = {"train": train.model_dump()}
    for key, value in values.items():
        changed = merged(changed, nested(key, value))
    return Train.model_validate(changed["train"])


def _fault(tried: object) -> str:
    """Say what is wrong with the form of what is tried of a key; empty where nothing is."""
    if isinstance(tried, list | tuple):
        return "" if tried and all(_is_number(value) for value in tried) else "is not a list of numbers"
    if not (isinstance(tried, Mapping) and {"min", "max"} <= set(tried) <= {"min", "max", "log"}):
        return "is neither a list nor a range"
    low, high, log = tried["min"], tried["max"], tried.get("log", False)
    if not (_is_number(low) and _is_number(high) and isinstance(log, bool)):
        return "has a bound that is no number, or a log that is neither true nor false"
    if low >= high:
        return "has a min that is not below its max"
    return "has log: true, so its min must be above 0" if log and low <= 0 else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
