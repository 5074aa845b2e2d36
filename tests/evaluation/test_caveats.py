"""Each caveat appears if and only if its condition holds."""

from typing import Any

import pandas as pd
import pytest

from realframe.evaluation.caveats import find_caveats
from tests.scored_items import make_cross_source, make_metrics

MACRO = {"value": 0.8, "low": 0.7, "high": 0.9, "generators": ["sora", "veo"]}

_CHANCE = {"value": 0.6, "low": 0.5, "high": 0.7}
_APART = {"value": 0.8, "pairs": 3, "highest": {"sources": ["lab", "phone"], "value": 0.95}, "is_high": True}
_SOURCES: dict[str, Any] = {"roc_auc": MACRO, "real_versus_real": {"value": None, "pairs": 0, "highest": None, "is_high": False}}


@pytest.fixture
def metrics(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> dict[str, Any]:
    """Metrics of a detector without caveats."""
    table = make_cross_source(splits, sources=10)  # with fewer, the stated error is larger than the requested one
    figures = make_metrics(good_predictions, splits, cross_source=table)
    return {**figures, "weights": "imagenet", "held_out": {"macro": MACRO, "generators": []}}


def _titles(metrics: dict[str, Any], splits: pd.DataFrame, level: str = "") -> list[str]:
    found = find_caveats(metrics, splits, {"kinds": {}})
    return [caveat.title for caveat in found if not level or caveat.level == level]


def test_a_good_detector_has_no_caveats(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    assert _titles(metrics, splits) == []


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"shortcuts": {"passed": False, "allowed": True}}, "Shortcuts allowed"),
        ({"cross_source": None}, "Not measured on unseen sources"),
        ({"cross_source": {"kinds": {"image": _SOURCES | {"too_few": "Few."}}}}, "No statement about images from unseen sources"),
        ({"cross_source": {"kinds": {"image": _SOURCES | {"real_versus_real": _APART}}}}, "Sources of real images are told apart"),
        ({"cross_source": {"kinds": {"video": _SOURCES | {"roc_auc": _CHANCE}}}}, "Near chance on videos from unseen sources"),
        ({"held_out": None}, "Not measured on unseen generators"),
        ({"held_out": {"macro": dict.fromkeys(("value", "low", "high")), "generators": []}}, "Not measured on unseen generators"),
        ({"held_out": {"macro": MACRO | {"value": 0.6, "low": 0.5}, "generators": []}}, "Near chance on unseen generators"),
        ({"verdict": {"image": {"band": {"error": 0.2, "requested_error": 0.1}, "competence": {"is_competent": True}}}}, "Few sources"),
        ({"weights": "random"}, "Random weights"),
    ],
)
def test_each_caveat(metrics: dict[str, Any], splits: pd.DataFrame, change: dict[str, Any], title: str) -> None:
    assert _titles(metrics | change, splits) == [title]


def test_a_passed_audit_gives_no_caveat_even_if_shortcuts_are_allowed(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    assert _titles(metrics | {"shortcuts": {"passed": True, "allowed": True}}, splits) == []


def test_dangers_come_first(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    change = {"held_out": {"macro": MACRO | {"low": 0.4}, "generators": []}, "below_baseline": True, "weights": "random"}
    assert _titles(metrics | change, splits, "danger") == ["Below its baseline", "Near chance on unseen generators"]
    assert _titles(metrics | change, splits)[2:] == ["Random weights"]


def test_a_generator_at_chance_is_named_regardless_of_the_mean(metrics: dict[str, Any], splits: pd.DataFrame) -> None:
    rows = [
        {"name": "sora", "roc_auc": {"value": 0.54, "low": 0.41, "high": 0.66}},
        {"name": "veo", "roc_auc": {"value": 0.95, "low": 0.9, "high": 0.99}},
        {"name": "rare", "roc_auc": {"value": 0.4, "low": None, "high": None}},
    ]
    (found,) = find_caveats(metrics | {"held_out": {"macro": MACRO, "generators": rows}}, splits, {"kinds": {}})
    assert found.title == "Fails on some unseen generators"
    assert "sora (0.54" in found.text
    assert "veo" not in found.text
    assert "rare" not in found.text


@pytest.mark.parametrize(
    ("value", "low", "title"),
    [
        (0.93, 0.8, ["File facts reveal the class of the videos"]),
        (0.65, 0.56, ["File facts are informative for the videos"]),
        (0.65, 0.48, []),
        (0.65, None, []),
    ],
)
def test_caveats_of_the_shortcut_audit(
    metrics: dict[str, Any], splits: pd.DataFrame, value: float, low: float | None, title: list[str]
) -> None:
    audit = {"balanced_accuracy": value, "low": low, "high": 0.95, "facts": {"bytes": 0.6}}
    found = find_caveats(metrics, splits, {"kinds": {"video": audit, "image": {"note": "too few"}}, "limit": 0.7})
    assert [caveat.title for caveat in found] == title
