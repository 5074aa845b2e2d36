"""Add files to the regression set and list it: every later model is scored on these files, and none of them is removed."""

from pathlib import Path

from realframe.errors import DatasetError
from realframe.feedback.feedback_labels import check_media, copy_if_missing
from realframe.store.document_base import Label, now
from realframe.store.repository import Store
from realframe.store.user_documents import RegressionItem


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
        raise DatasetError(file, conflict, "Settle which label is correct first.")
    path = f"{label}/{media_id}{file.suffix.lower()}"
    item = known or RegressionItem(
        media_id=media_id, label=label, path=path, file=name or file.name, reason=reason, added_by=added_by, created=now()
    )
    copy_if_missing(file, folder / item.path)
    store.upsert([item])
    return item


def list_regression_items(store: Store) -> list[RegressionItem]:
    """Return the items of the set, the latest last."""
    return sorted(store.find(RegressionItem), key=lambda item: item.created)
