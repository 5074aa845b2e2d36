"""Load the rules of drift detection from ``mlflow/drift.yaml``."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from realframe.config import read_yaml
from realframe.errors import ParamsError

FILE = Path("mlflow/drift.yaml")
_NEXT_STEPS = {
    "ask": "Proposed: a new training. To start it, trigger the DAG prepare_data with `retrain`, best after adding recent files with labels",
    "automatic": "The DAG watch_drift starts a new training by itself, once for each drift",
    "never": "No training is proposed or started: `retrain` is `never` in mlflow/drift.yaml",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class WindowSize(_Strict):
    """The size of a window: a number of files, or of hours."""

    items: int | None = Field(default=None, ge=2)
    hours: int | None = Field(default=None, ge=1)

    @property
    def name(self) -> str:
        """``n<items>`` or ``h<hours>``."""
        return f"n{self.items}" if self.items else f"h{self.hours}"

    @model_validator(mode="after")
    def _check_one_unit(self) -> Self:
        if (self.items is None) == (self.hours is None):
            raise ValueError("set either items or hours")
        return self


class DriftRules(_Strict):
    """The content of ``mlflow/drift.yaml``, which describes each rule."""

    window: WindowSize
    min_items: int = Field(ge=2)
    recent_windows: int = Field(ge=1)
    min_drifting_windows: int = Field(ge=1)
    max_psi: float = Field(gt=0)
    significance: float = Field(gt=0, lt=1)
    retrain: Literal["ask", "automatic", "never"] = "ask"

    @property
    def next_step(self) -> str:
        """What follows from a drift, as a sentence without its full stop."""
        return _NEXT_STEPS[self.retrain]

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.min_drifting_windows > self.recent_windows:
            raise ValueError(
                f"min_drifting_windows ({self.min_drifting_windows}) is greater than recent_windows ({self.recent_windows}): lower it"
            )
        if self.window.items is not None and self.window.items < self.min_items:
            raise ValueError(f"window.items ({self.window.items}) is less than min_items ({self.min_items}): raise it")
        return self


def load_drift_rules(root: Path) -> DriftRules:
    """Read the rules of a checkout. Raises ParamsError."""
    try:
        return DriftRules.model_validate(read_yaml(root / FILE))
    except ValidationError as error:
        first = error.errors()[0]
        raise ParamsError(FILE, f"{'.'.join(map(str, first['loc']))}: {first['msg']}".lstrip(": ")) from error
