"""Cautions: each where it is due, and only there."""

from typing import Any

import pandas as pd
import pytest

from realframe.evaluation.caveats import caveats_of
from tests.scored_items import evidence_of

MACRO = {"value": 0.8, "low": 0.7, "high": 0.9, "generators": ["sora", "veo"]}


@pytest.fixture
def metrics(good: pd.DataFrame, splits: pd.DataFrame) -> dict[str, Any]:
    """Of a detector that nothing speaks against."""
    return {**evidence_of(good, splits), "weights": "imagenet", "held_out": {"macro": MACRO, "generators": []}}


def _titles(metrics: dict[str, Any], splits: pd.DataFrame, level: str = "") -> list[str]:
    found = caveats_of(metrics, splits, {"kinds": {}})
    return [caution.title for caution in found if not level or caution.level == level]


def test_nothing_speaks_against_it(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    assert _titles(metrics, splits) == []


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"shortcuts": {"passed": False, "allowed": True}}, "Shortcuts allowed"),
        ({"held_out": None}, "Not measured on unseen generators"),
        ({"held_out": {"macro": dict.fromkeys(("value", "low", "high")), "generators": []}}, "Not measured on unseen generators"),
        ({"held_out": {"macro": MACRO | {"value": 0.6, "low": 0.5}, "generators": []}}, "Near chance on unseen generators"),
        ({"band": {"error": 0.2, "asked": 0.1}}, "Few validation items"),
        ({"weights": "random"}, "Random weights"),
    ],
)
def test_each_reason_for_distrust(metrics: dict[str, Any], splits: pd.DataFrame, change: dict[str, Any], title: str) -> None:
    assert _titles(metrics | change, splits) == [title]


def test_an_audit_that_passed_bears_no_mark_even_where_shortcuts_were_allowed(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    assert _titles(metrics | {"shortcuts": {"passed": True, "allowed": True}}, splits) == []


def test_dangers_come_first(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    change = {"held_out": {"macro": MACRO | {"low": 0.4}, "generators": []}, "below_baseline": True, "weights": "random"}
    assert _titles(metrics | change, splits, "danger") == ["Below its baseline", "Near chance on unseen generators"]
    assert _titles(metrics | change, splits)[2:] == ["Random weights"]


def test_a_generator_at_chance_is_named_whatever_the_mean(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    rows = [
        {"name": "sora", "roc_auc": {"value": 0.54, "low": 0.41, "high": 0.66}},
        {"name": "veo", "roc_auc": {"value": 0.95, "low": 0.9, "high": 0.99}},
        {"name": "rare", "roc_auc": {"value": 0.4, "low": None, "high": None}},
    ]
    (found,) = caveats_of(metrics | {"held_out": {"macro": MACRO, "generators": rows}}, splits, {"kinds": {}})
    assert found.title == "Blind to some unseen generators"
    assert "sora (0.54" in found.text
    assert "veo" not in found.text
    assert "rare" not in found.text


@pytest.mark.parametrize(
    ("value", "low", "title"),
    [
        (0.93, 0.8, ["File facts give the videos away"]),
        (0.65, 0.56, ["File facts still say something of the videos"]),
        (0.65, 0.48, []),
        (0.65, None, []),
    ],
)
def test_what_file_facts_still_say(
    metrics: dict[str, Any], splits: pd.DataFrame, value: float, low: float | None, title: list[str]
) -> None:
    audit = {"balanced_accuracy": value, "low": low, "high": 0.95, "facts": {"bytes": 0.6}}
    found = caveats_of(metrics, splits, {"kinds": {"video": audit, "image": {"note": "too few"}}, "limit": 0.7})
    assert [caution.title for caution in found] == title
