"""Write the inputs of a run to its worktree: originals or a dataset version, takedowns, feedback and the regression set."""

import logging
from pathlib import Path

from realframe import artifacts
from realframe.data import takedown_list
from realframe.data.ingest import ingest
from realframe.errors import RunError
from realframe.feedback import accept, regression_items
from realframe.runs import run_versions, worktree
from realframe.settings import Settings
from realframe.store import lineage, takedown
from realframe.store.repository import Store

log = logging.getLogger(__name__)
_SETTLED_S = 30.0  # a file that changed more recently may be half copied; the next run imports it


def import_new_data(store: Store, settings: Settings) -> None:
    """Import the inbox and the feedback labels that users agree on into ``data/raw``."""
    if settings.inbox_dir.is_dir() and any(settings.inbox_dir.iterdir()):
        summary = ingest(
            settings.inbox_dir,
            settings.raw_dir,
            cache_dir=settings.cache_dir,
            min_age_s=_SETTLED_S,
            workers=settings.workers,
            taken_down_ids=takedown.taken_down_ids(store),
        )
        log.info("inbox: %s", summary)
    accept.accept_agreed(store, settings)


def write_inputs(folder: Path, dataset: str | None, store: Store, settings: Settings) -> None:
    """Write the data of a dataset version to the worktree or, if ``dataset`` is None, the originals and the list of takedowns.

    Raises RunError if the version contains items that were taken down since, DatasetError if there are no originals.
    """
    if dataset:
        _require_no_takedowns(store, dataset, settings)
        worktree.checkout_dataset(folder, dataset)
        return
    worktree.snapshot_raw(folder, settings)
    takedown_list.write(folder / artifacts.TAKEDOWNS, takedown.taken_down_ids(store))


def write_regression_set(folder: Path, store: Store, settings: Settings) -> None:
    """Write the regression set to the worktree; log a warning if files of it are missing on this machine."""
    worktree.snapshot_regression(folder, settings)
    missing = [item for item in regression_items.list_regression_items(store) if not (settings.regression_dir / item.path).exists()]
    if missing:
        message = "%s files of the regression set, such as %s, are not in %s; this model is not scored on them. Earlier runs contain them"
        log.warning(message, len(missing), missing[0].path, settings.regression_dir)


def _require_no_takedowns(store: Store, tag: str, settings: Settings) -> None:
    taken_down_ids = lineage.list_taken_down(store, run_versions.dataset_digest(settings.root, tag))
    if taken_down_ids:
        reason = f"holds {len(taken_down_ids)} media items that were taken down since it was made, such as {taken_down_ids[0][:12]}"
        raise RunError(tag, reason, "Make the next dataset version first: `realframe run prepare_data`.")
