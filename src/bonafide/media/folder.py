"""What the media stages leave behind: a folder with the shards of this run and no others, and one line that sums the run up."""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from bonafide.errors import MediaError


def keep_only(folder: Path, names: Collection[str]) -> None:
    """Make ``folder``, and remove what is not among ``names``: shards of items that are gone, and what a killed run left half-written."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.name not in names:
            file.unlink()


def summary(stage: str, taken: int, cached: int, errors: Iterable[MediaError], dropped: Iterable[str] = ()) -> str:
    """Return the line that tells what became of the items, and of the frames that were dropped, by reason."""
    parts = [f"{taken} taken ({cached} cached)", f"quarantined {_counts(error.code for error in errors)}"]
    reasons = list(dropped)
    return f"{stage}: " + ", ".join([*parts, f"frames dropped {_counts(reasons)}"] if reasons else parts)


def _counts(names: Iterable[str]) -> str:
    counts = Counter(names)
    detail = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{counts.total()}{f' ({detail})' if detail else ''}"
