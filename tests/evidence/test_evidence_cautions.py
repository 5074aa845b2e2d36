"""Cautions: each where it is due, and only there."""

from typing import Any

import pandas as pd
import pytest

from bonafide.evidence.cautions import cautions_of
from tests.scored_items import evidence_of

MACRO = {"value": 0.8, "low": 0.7, "high": 0.9, "generators": ["sora", "veo"]}


@pytest.fixture
def metrics(good: pd.DataFrame, splits: pd.DataFrame) -> dict[str, Any]:
    """Of a detector that nothing speaks against."""
    return {**evidence_of(good, splits), "weights": "imagenet", "held_out": {"macro": MACRO}}


def _titles(metrics: dict[str, Any], splits: pd.DataFrame, level: str = "") -> list[str]:
    found = cautions_of(metrics, splits, {"kinds": {}})
    return [caution.title for caution in found if not level or caution.level == level]


def test_nothing_speaks_against_it(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    assert _titles(metrics, splits) == []


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"shortcuts": {"passed": False, "allowed": True}}, "Shortcuts allowed"),
        ({"held_out": None}, "Not measured on unseen generators"),
        ({"held_out": {"macro": dict.fromkeys(("value", "low", "high"))}}, "Not measured on unseen generators"),
        ({"held_out": {"macro": MACRO | {"value": 0.6, "low": 0.5}}}, "Near chance on unseen generators"),
        ({"band": {"error": 0.2, "asked": 0.1}}, "Few validation items"),
        ({"weights": "random"}, "Random weights"),
    ],
)
def test_each_reason_for_distrust(metrics: dict[str, Any], splits: pd.DataFrame, change: dict[str, Any], title: str) -> None:
    assert _titles(metrics | change, splits) == [title]


def test_an_audit_that_passed_bears_no_mark_even_where_shortcuts_were_allowed(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    assert _titles(metrics | {"shortcuts": {"passed": True, "allowed": True}}, splits) == []


def test_dangers_come_first(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    change = {"held_out": {"macro": MACRO | {"low": 0.4}}, "below_floor": True, "weights": "random"}
    assert _titles(metrics | change, splits, "danger") == ["Below its floor", "Near chance on unseen generators"]
    assert _titles(metrics | change, splits)[2:] == ["Random weights"]
