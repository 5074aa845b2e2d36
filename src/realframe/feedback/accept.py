"""Accept the files on whose label people agree: into the originals of the next dataset version, and into the regression set."""

import logging

from realframe.data.ingest import ingest
from realframe.data.labels import FileEntry
from realframe.errors import DatasetError, MediaError
from realframe.feedback.feedback_labels import LabelCase, list_cases, select_agreed
from realframe.feedback.regression_items import add_regression_item
from realframe.settings import Settings
from realframe.store.repository import Store

FEEDBACK_SOURCE = "feedback"
"""The source of accepted files in the dataset."""
_log = logging.getLogger(__name__)


def accept_agreed(store: Store, settings: Settings) -> int:
    """Accept every file on whose label people agree, with that label; return how many.

    A file that cannot be accepted, for example because the originals have it with the other label, is named in the log and stays waiting.
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
    """Copy the file to the originals, then add it to the regression set, which marks it as accepted: a killed run is repeated."""
    first = case.votes[0]
    file = settings.feedback_dir / first.stored_name
    entry = FileEntry("", first.label, source=FEEDBACK_SOURCE)
    ingest(file, settings.raw_dir, cache_dir=settings.cache_dir, overrides=entry, workers=settings.workers)
    add_regression_item(store, settings.regression_dir, file, first.label, case.reasons, case.people, first.file)
