"""The rules of the gate, as data: ``mlflow/gate.yaml``.

What came of one rule of the gate.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from realframe.config import read_yaml
from realframe.errors import GateError
from realframe.settings import Settings

PATH = Path("mlflow/gate.yaml")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FigureRule(_Strict):
    """A figure of ``reports/metrics.json`` that must not be lower, or not be higher, than so much."""

    name: str = Field(min_length=1, description="what people call the rule")
    figure: str = Field(pattern=r"^\w+(\.\w+)*$", description="dotted path, such as test.item.roc_auc.low")
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs one of at_least and at_most")
        return self


class SliceRule(_Strict):
    """How many of the items of any slice must be called right."""

    right_at_least: float = Field(ge=0, le=1, description="share")


class RobustnessRule(_Strict):
    """How much of the ROC-AUC a degraded file may cost."""

    drop_at_most: float = Field(ge=0, le=1)


class ChampionRule(_Strict):
    """How the challenger must stand beside the champion, on the same items."""

    margin: float = Field(ge=0, le=1, description="of ROC-AUC")
    alpha: float = Field(gt=0, lt=1, description="level of McNemar's test")


class RegressionRule(_Strict):
    """How the challenger must stand on the items that were once reported wrong."""

    more_mistakes_at_most: int = Field(ge=0)


class GateRules(_Strict):
    """The content of ``mlflow/gate.yaml``; a rule that is null is not asked for."""

    four_eyes: bool
    figures: tuple[FigureRule, ...]
    slices: SliceRule | None
    robustness: RobustnessRule | None
    shortcuts_passed: bool
    champion: ChampionRule | None
    regression: RegressionRule | None


def load_gate_rules(settings: Settings) -> GateRules:
    """Read the rules of a checkout. Raises GateError: without rules nothing is approved."""
    path = settings.root / PATH
    if not path.exists():
        raise GateError(path, "is not there, so there are no rules to approve by", "Restore it: `git checkout -- mlflow/gate.yaml`.")
    try:
        return GateRules.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise GateError(
            path, f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}", "docs/review.md names the rules."
        ) from error


@dataclass(frozen=True)
class RuleResult:
    """A rule, and whether a version meets it.

    Attributes:
        name: of the rule.
        met: whether it is met; None where nobody can say, which counts as not met.
        said: a sentence with the figures.
        needed: what the rule asks for.
    """

    name: str
    met: bool | None
    said: str
    needed: str

    @property
    def word(self) -> str:
        """Return ``met``, ``not met`` or ``unknown``."""
        return "unknown" if self.met is None else "met" if self.met else "not met"
