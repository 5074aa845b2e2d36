"""The regression set: files that every later model is scored on. What is in stays in."""

from pathlib import Path

from bonafide.errors import DatasetError
from bonafide.feedback.opinions import checked, copy
from bonafide.metadata.added import RegressionItem
from bonafide.metadata.clock import now
from bonafide.metadata.document import Label
from bonafide.metadata.store import Store


def add(store: Store, folder: Path, file: Path, label: Label, why: str, by: str, name: str = "") -> RegressionItem:
    """Put a file into the set, or return it as it stands there.

    Args:
        store: the record of who brought it in and why.
        folder: the living folder of the set, ``settings.regression_dir``.
        file: copied to ``<label>/<sha256>.<ext>``.
        label: what it is.
        why: why it must never be got wrong again.
        by: who brought it in.
        name: the file's own name, where the file bears another one.

    Raises:
        NotMediaError: the file is no image and no video.
        TakenDownError: somebody asked to use it no longer.
        DatasetError: it is in the set under the other label.
    """
    media_id = checked(store, file)
    known = store.get(RegressionItem, media_id)
    if known and known.label != label:
        raise DatasetError(file, f"is in the regression set as {known.label} ({known.by}: {known.why})", "Settle which is right first.")
    kept = f"{label}/{media_id}{file.suffix.lower()}"
    item = known or RegressionItem(media_id=media_id, label=label, kept=kept, file=name or file.name, why=why, by=by, at=now())
    copy(file, folder / item.kept)
    store.upsert([item])
    return item


def items(store: Store) -> list[RegressionItem]:
    """Return the set, the latest last."""
    return sorted(store.find(RegressionItem), key=lambda item: item.at)
