"""Fixtures of the report tests."""

from tests.scored_items import bad_predictions, good_predictions, splits

__all__ = ["bad_predictions", "good_predictions", "splits"]
