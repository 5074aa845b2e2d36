"""The pages of each model version, kept where they outlive its run's worktree: ``STATE/reports/v<N>/``."""

from pathlib import Path

from bonafide import artefacts
from bonafide.files import link_or_copy
from bonafide.settings import Settings

_KEPT = (artefacts.REPORT, artefacts.CARD, artefacts.CROISSANT)


def keep(folder: Path, version: int, settings: Settings) -> None:
    """Copy the report, the model card and the card of the data out of a run's folder; those of an earlier evaluation are replaced."""
    for path in _KEPT:
        link_or_copy(folder / path, kept(version, path, settings))


def kept(version: int, path: Path, settings: Settings) -> Path:
    """Return where one of these pages, named by its artefact's path, lies for a model version."""
    return settings.state / "reports" / f"v{version}" / path.name
