"""Fixtures of the evidence tests."""

import pytest

from tests import small_run
from tests.scored_items import bad, good, splits

__all__ = ["bad", "good", "splits"]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> small_run.Small:
    """A run's folder in which everything up to the training is there; tests leave it as it is."""
    return small_run.make(tmp_path_factory.mktemp("small"))
