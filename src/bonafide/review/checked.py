"""What came of one rule of the gate."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Checked:
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
