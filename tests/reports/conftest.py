"""Fixtures of the reporting tests."""

from tests.scored_items import bad, good, splits

__all__ = ["bad", "good", "splits"]
