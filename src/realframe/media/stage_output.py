"""Remove stale files from a stage's output folder, and summarize a media stage in one line."""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from realframe.errors import MediaError


def remove_other_files(folder: Path, names: Collection[str]) -> None:
    """Create ``folder`` and delete the files in it that are not in ``names``: those of removed items and of a killed run."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.name not in names:
            file.unlink()


def stage_summary(stage: str, item_count: int, cached_count: int, errors: Iterable[MediaError], drop_reasons: Iterable[str] = ()) -> str:
    """Return the summary of a stage: its items, its quarantined files by code, and its dropped frames by reason."""
    parts = [f"{item_count} items ({cached_count} cached)", f"quarantined {_format_counts(error.code for error in errors)}"]
    reasons = list(drop_reasons)
    return f"{stage}: " + ", ".join([*parts, f"frames dropped {_format_counts(reasons)}"] if reasons else parts)


def _format_counts(names: Iterable[str]) -> str:
    counts = Counter(names)
    detail = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{counts.total()}{f' ({detail})' if detail else ''}"
