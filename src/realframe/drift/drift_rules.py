"""The rules by which a drift is told, from ``mlflow/drift.yaml``."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from realframe.config import read_yaml
from realframe.errors import ParamsError

FILE = Path("mlflow/drift.yaml")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Span(_Strict):
    """How far a window reaches: a number of files, or of hours."""

    items: int | None = Field(default=None, ge=2)
    hours: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.items is None) == (self.hours is None):
            raise ValueError("name one of items and hours")
        return self


class DriftRules(_Strict):
    """What ``mlflow/drift.yaml`` holds; each of its lines says what it is for."""

    window: Span
    min_items: int = Field(ge=2)
    last: int = Field(ge=1)
    drifting: int = Field(ge=1)
    psi: float = Field(gt=0)
    level: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.drifting > self.last:
            raise ValueError("more windows must drift than are looked at")
        if self.window.items is not None and self.window.items < self.min_items:
            raise ValueError("a window holds fewer items than it must")
        return self


def load_drift_rules(root: Path) -> DriftRules:
    """Read the rules of a checkout. Raises ParamsError."""
    try:
        return DriftRules.model_validate(read_yaml(root / FILE))
    except ValidationError as error:
        first = error.errors()[0]
        raise ParamsError(FILE, f"{'.'.join(map(str, first['loc']))}: {first['msg']}".lstrip(": ")) from error
