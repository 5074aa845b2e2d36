"""Taking in what people agree on: into the originals of the next dataset version, and into the regression set."""

import logging

from bonafide.dataset.entries import Entry
from bonafide.dataset.ingest import ingest
from bonafide.errors import DatasetError, MediaError
from bonafide.feedback import regression
from bonafide.feedback.opinions import Case, agreed, cases
from bonafide.metadata.store import Store
from bonafide.settings import Settings

SOURCE = "feedback"
_log = logging.getLogger(__name__)


def take_in(store: Store, settings: Settings) -> int:
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


def _take(case: Case, store: Store, settings: Settings) -> None:
    """The record comes last: what a kill leaves undone, the next run does."""
    first = case.said[0]
    file = settings.feedback_dir / first.kept
    facts = Entry("", first.label, source=SOURCE)
    ingest(file, settings.raw_dir, cache_dir=settings.cache_dir, facts=facts, workers=settings.workers)
    regression.add(store, settings.regression_dir, file, first.label, case.why, case.by, first.file)
