"""Fixtures of the evaluation tests."""

import pytest

from tests import small_run
from tests.scored_items import bad_predictions, good_predictions, splits

__all__ = ["bad_predictions", "good_predictions", "splits"]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> small_run.SmallRun:
    """A run's folder in which everything up to the training is there; tests leave it as it is."""
    return small_run.make_small_run(tmp_path_factory.mktemp("small"))
