"""What a challenger said, unseen, of the files that people gave while the champion answered."""

from dataclasses import dataclass
from typing import get_args

from bonafide.metadata.added import Prediction
from bonafide.metadata.store import Store
from bonafide.statistics.conformal import Verdict


@dataclass(frozen=True)
class Shadow:
    """Two versions' predictions of the same files.

    Attributes:
        challenger: the version that waits for a decision.
        champion: the version that serves.
        scored: how many files both have scored.
        agreed: of how many they have the same verdict.
    """

    challenger: int
    champion: int
    scored: int
    agreed: int

    def __str__(self) -> str:
        given = f"{self.scored or 'none'} of the files that people gave"
        agreed = f"; the verdict was that of version {self.champion} in {self.agreed} of them" if self.scored else ""
        return f"In the shadow: version {self.challenger} scored {given}{agreed}."


def compare(store: Store, challenger: int, champion: int) -> Shadow:
    """Compare what two versions said of the same files. Raises MetadataError."""
    ours, theirs = _said(store, challenger), _said(store, champion)
    both = ours.keys() & theirs.keys()
    return Shadow(challenger, champion, len(both), sum(ours[file] == theirs[file] for file in both))


def _said(store: Store, version: int) -> dict[str, Verdict]:
    """Return the verdicts of a version by the digests of the files, out of the keys alone: the documents are large."""
    keys = {verdict: store.keys(Prediction, {"model": version, "verdict": verdict}) for verdict in get_args(Verdict)}
    return {key.partition("-")[2]: verdict for verdict, found in keys.items() for key in found}
