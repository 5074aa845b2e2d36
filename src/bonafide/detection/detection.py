"""What the detector says of a file, and by which rule."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from bonafide.errors import RegistryError
from bonafide.statistics import calibration, conformal
from bonafide.statistics.conformal import Band

Verdict = conformal.Verdict | Literal["not scored"]


@dataclass(frozen=True)
class FrameScore:
    """The score of one frame.

    Attributes:
        time_s: when it is shown, seconds since the first frame.
        score: what the network gives it, in [0, 1], not calibrated.
    """

    time_s: float
    score: float


@dataclass(frozen=True)
class Detection:
    """What the detector says of one file.

    Attributes:
        path: the file.
        verdict: ``real`` below the band, ``ai-generated`` above it, ``uncertain`` within, ``not scored`` where the file can't be used.
        probability: that it is AI-generated, in [0, 1], calibrated on validation items; None where not scored.
        score: what the network and the rule for items give, before it is calibrated; None where not scored.
        band: of probabilities in which the verdict is ``uncertain``, and the error of the other verdicts.
        threshold: that of two words, on which the evaluation's figures rest: an item is called fake whose score is at or above it.
        looked_at: how many frames were looked at.
        frames: each of them with its score; none where the detector scores the clip as a whole.
        model: the version of the detector.
        seconds: wall clock of ``decode`` and ``score``.
        kind: ``image`` or ``video``; empty where not scored.
        features: the mean pooled features of the frames looked at, float32 (width,), for storing; None where not scored.
        code: of ``bonafide.errors``, why it was not scored; empty where it was.
        message: the same as a sentence.
    """

    path: str
    verdict: Verdict
    probability: float | None
    score: float | None
    band: Band
    threshold: float
    looked_at: int
    frames: tuple[FrameScore, ...]
    model: str
    seconds: Mapping[str, float]
    kind: str = ""
    features: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    code: str = ""
    message: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON, without the features."""
        return {name: value for name, value in asdict(self).items() if name != "features"}


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
