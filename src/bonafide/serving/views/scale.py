"""The scale under a verdict: where the probability lies, how sure that is, and where each verdict begins. All in per cent of its width."""

from dataclasses import dataclass
from typing import Self

from bonafide.metadata.detections import Detection

_CLEAR = 34.0


@dataclass(frozen=True)
class Scale:
    """The scale from surely real, at the left, to surely AI-generated.

    Attributes:
        real: where ``real`` ends and ``uncertain`` begins.
        fake: where ``uncertain`` ends and ``ai-generated`` begins.
        at: the probability.
        low: where its interval begins; None where it has none.
        high: where its interval ends.
    """

    real: float
    fake: float
    at: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, detection: Detection) -> Self | None:
        """Return the scale of an answer; None where it was not scored."""
        if detection.probability is None:
            return None
        interval = detection.interval
        return cls(
            real=_percent(detection.band.low),
            fake=_percent(detection.band.high),
            at=_percent(detection.probability),
            low=_percent(interval.low) if interval else None,
            high=_percent(interval.high) if interval else None,
        )

    @property
    def words(self) -> str:
        """The scale as a sentence, for whoever can't see it."""
        sure = f", with 95 % confidence between {self.low:.0f} and {self.high:.0f} %" if self.low is not None else ""
        return (
            f"The probability that it is AI-generated is {self.at:.0f} %{sure}. "
            f"Below {self.real:.0f} % the verdict is real, above {self.fake:.0f} % AI-generated, between them uncertain."
        )

    @property
    def middle(self) -> float:
        """Where the words under the band stand, clear of those at both ends."""
        return min(max((self.real + self.fake) / 2, _CLEAR), 100 - _CLEAR)


def _percent(share: float) -> float:
    return round(100 * share, 2)
