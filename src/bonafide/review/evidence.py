"""What the ledger keeps of the evidence that a decision rests on."""

from typing import Any

from bonafide.tracking.registry import ModelVersion

_FACTS = (
    "version",
    "sha256",
    "dataset",
    "commit",
    "recipe",
    "run_id",
    "trainer",
    "threshold",
    "below_floor",
    "shortcuts",
    "test_split",
    "evidence",
    "figures",
    "floor",
)


def record(candidate: ModelVersion, champion: ModelVersion | None) -> dict[str, Any]:
    """Return the candidate's facts, and those of the champion at that time."""
    return {"candidate": _facts(candidate), "champion": _facts(champion) if champion else None}


def _facts(version: ModelVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in _FACTS}
