"""What a run is given to work on: what has arrived and what people added, in its worktree."""

import logging
from pathlib import Path

from realframe import artifacts
from realframe.data import takedown_list
from realframe.data.ingest import ingest
from realframe.errors import RunError
from realframe.feedback import accept
from realframe.runs import run_versions, worktree
from realframe.settings import Settings
from realframe.store import lineage, takedown
from realframe.store.repository import Store

log = logging.getLogger(__name__)
_STILL_ARRIVING_S = 30.0  # a file in the inbox that changed so lately may be half copied; the next run takes it


def accept_arrivals(store: Store, settings: Settings) -> None:
    """Bring the inbox, and the feedback that people agree on, into the living folder of originals."""
    if settings.inbox_dir.is_dir() and any(settings.inbox_dir.iterdir()):
        taken = ingest(
            settings.inbox_dir,
            settings.raw_dir,
            cache_dir=settings.cache_dir,
            settled_s=_STILL_ARRIVING_S,
            workers=settings.workers,
            barred=takedown.taken_down_ids(store),
        )
        log.info("inbox: %s", taken)
    accept.accept_agreed(store, settings)


def write_inputs(folder: Path, dataset: str | None, store: Store, settings: Settings) -> None:
    """Put the data of a dataset version into the worktree; where none is named, the originals and the list of what was taken down.

    Raises RunError where the version holds what was taken down since, DatasetError where there are no originals.
    """
    if dataset:
        _refuse_taken_down(store, dataset, settings)
        worktree.take_dataset(folder, dataset)
        return
    worktree.snapshot_raw(folder, settings)
    takedown_list.write(folder / artifacts.TAKEDOWNS, takedown.taken_down_ids(store))


def write_regression_set(folder: Path, store: Store, settings: Settings) -> None:
    """Put the regression set into the worktree; items whose files are not on this machine are named in the log."""
    worktree.snapshot_regression(folder, settings)
    missing = [item for item in accept.items(store) if not (settings.regression_dir / item.kept).exists()]
    if missing:
        said = "%s of the regression set's files, such as %s, are not in %s; this model is not scored on them. Earlier runs hold them"
        log.warning(said, len(missing), missing[0].kept, settings.regression_dir)


def _refuse_taken_down(store: Store, tag: str, settings: Settings) -> None:
    held = lineage.taken_down_of(store, run_versions.digest_of(settings.root, tag))
    if held:
        reason = f"holds {len(held)} media items that were taken down since it was made, such as {held[0][:12]}"
        raise RunError(tag, reason, "Make the next dataset version first: `realframe run prepare_data`.")
