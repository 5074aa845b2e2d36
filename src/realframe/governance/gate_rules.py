"""Load and validate the gate rules of ``mlflow/gate.yaml``, and hold the result of one rule.

The checks of the rules are in ``metric_rules.py`` and ``champion_rules.py``; ``gate.py`` calls them.
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


class MetricRule(_Strict):
    """A bound on one metric of ``reports/metrics.json``."""

    name: str = Field(min_length=1, description="shown to reviewers")
    metric: str = Field(pattern=r"^\w+(\.\w+)*$", description="dotted path, such as test.item.roc_auc.low")
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _require_one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs exactly one of at_least and at_most")
        return self


class SourceRule(_Strict):
    """Bounds on what holds for unseen sources, for each kind of the dataset."""

    roc_auc_at_least: float = Field(ge=0, le=1, description="lower end of the interval")
    margin_at_least: float | None = Field(ge=-1, le=1, description="ROC-AUC minus that between two real sources; null: not checked")


class SliceRule(_Strict):
    """A bound on the accuracy of every slice with enough items."""

    accuracy_at_least: float = Field(ge=0, le=1, description="share")


class RobustnessRule(_Strict):
    """A bound on the ROC-AUC drop under the worst perturbation."""

    drop_at_most: float = Field(ge=0, le=1)


class ChampionRule(_Strict):
    """Bounds on the comparison with the champion on the same test items."""

    margin: float = Field(ge=0, le=1, description="of ROC-AUC")
    alpha: float = Field(gt=0, lt=1, description="level of McNemar's test")


class RegressionRule(_Strict):
    """A bound on the mistakes on the regression set, the items that were once reported wrong."""

    extra_mistakes_at_most: int = Field(ge=0)


class GateRules(_Strict):
    """The content of ``mlflow/gate.yaml``; a rule that is null is not checked."""

    four_eyes: bool
    sources: SourceRule | None
    metrics: tuple[MetricRule, ...]
    slices: SliceRule | None
    robustness: RobustnessRule | None
    shortcuts_passed: bool
    competence: bool
    champion: ChampionRule | None
    regression: RegressionRule | None


def load_gate_rules(settings: Settings) -> GateRules:
    """Read the rules of a checkout. Raises GateError if they are missing or invalid: without rules nothing is approved."""
    path = settings.root / PATH
    if not path.exists():
        raise GateError(path, "does not exist, so there are no rules to approve by", "Restore it: `git checkout -- mlflow/gate.yaml`.")
    try:
        return GateRules.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise GateError(
            path, f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}", "docs/review.md names the rules."
        ) from error


@dataclass(frozen=True)
class RuleResult:
    """Whether a version meets one rule.

    Attributes:
        name: of the rule.
        is_met: whether it is met; None if unknown, which counts as not met.
        observed: the measured values, in words.
        required: the bound, in words.
    """

    name: str
    is_met: bool | None
    observed: str
    required: str

    @property
    def status(self) -> str:
        """Return ``met``, ``not met`` or ``unknown``."""
        return "unknown" if self.is_met is None else "met" if self.is_met else "not met"
