"""By which rule a score becomes a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from bonafide.errors import RegistryError
from bonafide.statistics import calibration
from bonafide.statistics.conformal import Band


@dataclass(frozen=True)
class Rule:
    """How an item's score becomes a verdict, as the evaluation found it on validation items.

    Attributes:
        threshold: from which score on an item is called fake where there are but two words.
        temperature: what makes a probability of a score.
        band: of probabilities in which no verdict is given.
    """

    threshold: float
    temperature: float
    band: Band

    @classmethod
    def of(cls, facts: Mapping[str, Any], thing: object) -> Self:
        """Take it out of what an evaluation left. Raises RegistryError, about ``thing``, where that was before verdicts had three words."""
        try:
            band = Band(*(float(facts["band"][name]) for name in ("low", "high", "error")))
            return cls(float(facts["threshold"]), float(facts["temperature"]), band)
        except KeyError as error:
            reason = "was evaluated by a bonafide whose verdicts had no `uncertain`"
            raise RegistryError(thing, reason, "Train it anew with this bonafide: `bonafide run`.") from error

    def probability(self, score: float) -> float:
        """Return the calibrated probability of ``fake`` that a score stands for."""
        return float(calibration.apply(np.array(score, np.float64), self.temperature))
