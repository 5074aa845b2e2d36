"""Fixtures of the evaluation tests."""

import pandas as pd
import pytest
from scored_items import predictions, split_table


@pytest.fixture
def splits() -> pd.DataFrame:
    return split_table()


@pytest.fixture
def good(splits: pd.DataFrame) -> pd.DataFrame:
    """Predictions of a detector that is better than its floor."""
    return predictions(splits, model=2.5, floor=1.0)


@pytest.fixture
def bad(splits: pd.DataFrame) -> pd.DataFrame:
    """Predictions of a detector that is worse than its floor."""
    return predictions(splits, model=0.2, floor=4.0)
