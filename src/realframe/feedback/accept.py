"""The regression set: files that every later model is scored on. What is in stays in.

Taking in what people agree on: into the originals of the next dataset version, and into the regression set.
"""

import logging
from pathlib import Path

from realframe.data.ingest import ingest
from realframe.data.labels import FileEntry
from realframe.errors import DatasetError, MediaError
from realframe.feedback.feedback_labels import LabelCase, agreed, cases, checked, copy
from realframe.settings import Settings
from realframe.store.document_base import Label, now
from realframe.store.repository import Store
from realframe.store.user_documents import RegressionItem


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


SOURCE = "feedback"
_log = logging.getLogger(__name__)


def accept_agreed(store: Store, settings: Settings) -> int:
    """Take in every file on which people agree, under the label that they give it; return how many.

    A file that can't be taken (the originals give it the other label, say) is named in the log, and waits.
    """
    taken = 0
    for case in agreed(cases(store)):
        try:
            _take(case, store, settings)
        except (DatasetError, MediaError) as error:
            _log.warning("feedback by %s is not taken in: %s", case.by, error)
        else:
            taken += 1
    if taken:
        _log.info("feedback: %s files that people agree on are taken in", taken)
    return taken


def _take(case: LabelCase, store: Store, settings: Settings) -> None:
    """The record comes last: what a kill leaves undone, the next run does."""
    first = case.said[0]
    file = settings.feedback_dir / first.kept
    facts = FileEntry("", first.label, source=SOURCE)
    ingest(file, settings.raw_dir, cache_dir=settings.cache_dir, facts=facts, workers=settings.workers)
    add(store, settings.regression_dir, file, first.label, case.why, case.by, first.file)
