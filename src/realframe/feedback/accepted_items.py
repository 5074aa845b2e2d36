"""Add files with a settled label to the regression set, and accept the files on whose label people agree.

Every later model is scored on the regression set, and no file of it is removed. Accepted files are also in the originals of the next
dataset version: copied, or given their label where they were there with another one.
"""

import logging
from pathlib import Path

from realframe.data.ingest import ingest
from realframe.data.labels import FEEDBACK_SOURCE, FileEntry
from realframe.errors import DatasetError, MediaError
from realframe.feedback.feedback_labels import LabelCase, check_media, content_suffix, copy_if_missing, list_cases, select_agreed
from realframe.settings import Settings
from realframe.store.document_base import Label, format_current_time
from realframe.store.repository import Store
from realframe.store.user_documents import RegressionItem

_log = logging.getLogger(__name__)


def add_regression_item(store: Store, folder: Path, file: Path, label: Label, reason: str, added_by: str, name: str = "") -> RegressionItem:
    """Add a file to the set, or return the item as it is if the file is in the set already.

    Args:
        store: the store, which records who added the file and why.
        folder: folder of the set, ``settings.regression_dir``.
        file: the file; it is copied to ``<label>/<sha256>.<ext>``.
        label: the true label.
        reason: why no model may misclassify it.
        added_by: who adds it.
        name: original name of the file, if ``file`` has another one.

    Raises:
        NotMediaError: the file is neither an image nor a video.
        TakenDownError: the file was taken down.
        DatasetError: it is in the set with the other label.
    """
    media_id = check_media(store, file)
    known = store.get(RegressionItem, media_id)
    if known and known.label != label:
        conflict = f"is in the regression set as {known.label} (added by {known.added_by}: {known.reason})"
        raise DatasetError(file, conflict, "Find out which label is correct, then remove the other one.")
    path = f"{label}/{media_id}{content_suffix(file)}"
    item = known or RegressionItem(
        media_id=media_id, label=label, path=path, file=name or file.name, reason=reason, added_by=added_by, created=format_current_time()
    )
    copy_if_missing(file, folder / item.path)
    store.upsert([item])
    return item


def list_regression_items(store: Store) -> list[RegressionItem]:
    """Return the items of the set, the latest last."""
    return sorted(store.find(RegressionItem), key=lambda item: item.created)


def accept_agreed(store: Store, settings: Settings) -> int:
    """Accept every file on whose label people agree, with that label; return how many.

    Their label replaces another one in the originals. A file that cannot be accepted, for example because it was taken down, is named in
    the log and stays waiting.
    """
    accepted = 0
    for case in select_agreed(list_cases(store)):
        try:
            _accept(case, store, settings)
        except (DatasetError, MediaError) as error:
            _log.warning("feedback by %s is not accepted: %s", case.people, error)
        else:
            accepted += 1
    if accepted:
        _log.info("feedback: accepted %s files on whose label people agree", accepted)
    return accepted


def _accept(case: LabelCase, store: Store, settings: Settings) -> None:
    """Copy the file to the originals, or correct its label there, and add it to the regression set.

    The regression set is last, since it marks the file as accepted: what was killed before is repeated.
    """
    first = case.votes[0]
    file = settings.feedback_dir / first.stored_name
    entry = FileEntry("", first.label, source=FEEDBACK_SOURCE)
    ingest(file, settings.raw_dir, cache_dir=settings.cache_dir, overrides=entry, workers=settings.workers)
    add_regression_item(store, settings.regression_dir, file, first.label, case.reasons, case.people, first.file)
