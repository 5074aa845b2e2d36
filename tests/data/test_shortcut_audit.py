"""The shortcut audit: whether file facts alone tell the classes apart."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from realframe.data.shortcut_audit import audit_shortcuts, has_shortcut
from tests.data.dataset_rows import make_item, make_table, make_two_classes


def make_noise_rows(count: int, seed: int = 0) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    return [
        make_item(
            at,
            ("real", "fake")[at % 2],
            width=int(rng.integers(200, 900)),
            bytes=int(rng.integers(1e4, 1e6)),
            frames=int(rng.integers(9, 99)),
        )
        for at in range(count)
    ]


@pytest.mark.slow
def test_uninformative_facts_stay_near_chance() -> None:
    report = audit_shortcuts(make_table(make_noise_rows(120)), 5, 1)["video"]
    assert (report["items"], report["real"], report["fake"], report["folds"]) == (120, 60, 60, 5)
    assert 0.3 < float(report["balanced_accuracy"]) < 0.7  # type: ignore[arg-type]


def test_a_shortcut_is_found() -> None:
    rows = [row | {"fps": 6.0 if row["label"] == "fake" else 25.0} for row in make_noise_rows(100)]
    report = audit_shortcuts(make_table(rows), 5, 1)["video"]
    assert report["balanced_accuracy"] > 0.95  # type: ignore[operator]
    assert next(iter(report["facts"].items())) == ("fps", 1.0)  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_codec_is_a_fact_too() -> None:
    rows = [row | {"codec": "vp9" if row["label"] == "fake" else "h264"} for row in make_noise_rows(60)]
    assert audit_shortcuts(make_table(rows), 5, 1)["video"]["facts"]["codec"] == 1.0  # type: ignore[call-overload,index]


@pytest.mark.slow
def test_groups_are_not_memorized() -> None:
    rng = np.random.default_rng(3)
    widths = rng.integers(200, 2000, 30)
    rows = [
        make_item((group, at), ("real", "fake")[group % 2], group=f"g{group}", width=int(widths[group]))
        for group in range(30)
        for at in range(6)
    ]
    assert audit_shortcuts(make_table(rows), 5, 1)["video"]["balanced_accuracy"] < 0.75  # type: ignore[operator]


@pytest.mark.slow
def test_kinds_are_audited_separately_and_the_order_does_not_matter() -> None:
    rows = make_noise_rows(40) + [row | {"kind": "image", "media_id": str(row["media_id"])[::-1]} for row in make_noise_rows(40, 1)]
    report = audit_shortcuts(make_table(rows), 3, 1)
    assert list(report) == ["image", "video"]
    assert json.dumps(report) == json.dumps(audit_shortcuts(make_table(rows).sample(frac=1, random_state=1), 3, 1))


def test_too_few_items_give_a_note() -> None:
    for rows in (make_two_classes(1, 5), make_two_classes(5, 0), [row | {"group": "g"} for row in make_two_classes(4, 4)]):
        report = audit_shortcuts(make_table(rows), 5, 1)["video"]
        assert "too few" in str(report["note"]) and "balanced_accuracy" not in report
    assert audit_shortcuts(make_table([]), 5, 1) == {}
    assert "no fact differs" in str(audit_shortcuts(make_table(make_two_classes(9, 9)), 5, 1)["video"]["note"])
    unlike = [row | {"bytes": 1000 + at} for at, row in enumerate(make_two_classes(2, 3))]
    report = audit_shortcuts(make_table(unlike), 5, 1)["video"]
    assert (report["folds"], report["low"], report["high"]) == (2, None, None) and not has_shortcut(report, 0.6)


def test_a_shortcut_is_above_the_limit_and_not_by_chance() -> None:
    assert has_shortcut({"balanced_accuracy": 0.8, "low": 0.6}, 0.7)
    assert not has_shortcut({"balanced_accuracy": 0.8, "low": 0.45}, 0.7)
    assert not has_shortcut({"balanced_accuracy": 0.65, "low": 0.6}, 0.7)
    assert not has_shortcut({"note": "too few"}, 0.7)


def test_the_interval_of_a_dozen_items_is_wide_enough() -> None:
    rows = [make_item(at, ("real", "fake")[at % 2], fps=6.0 if at % 2 == (at >= 2) else 25.0) for at in range(12)]  # 10 of 12, or 2
    report = audit_shortcuts(make_table(rows), 5, 1)["video"]
    right = round(float(report["balanced_accuracy"]) * 12)  # type: ignore[arg-type]
    assert report["low"] <= binomtest(right, 12).proportion_ci(method="exact").low + 1e-4  # type: ignore[operator]


@pytest.mark.slow
def test_the_interval_contains_the_figure_and_narrows_with_more_groups() -> None:
    def make_rows_with_weak_shortcut(count: int) -> list[dict[str, object]]:
        rng = np.random.default_rng(5)
        return [row | {"fps": 6.0 if (row["label"] == "fake") ^ (rng.random() < 0.25) else 25.0} for row in make_noise_rows(count)]

    few, many = (audit_shortcuts(make_table(make_rows_with_weak_shortcut(count)), 5, 1)["video"] for count in (40, 360))
    for report in (few, many):
        assert report["low"] < report["balanced_accuracy"] < report["high"]  # type: ignore[operator]
    assert many["high"] - many["low"] < (few["high"] - few["low"]) / 2  # type: ignore[operator]


@pytest.mark.slow
def test_a_small_difference_over_a_whole_class_is_found() -> None:
    rng = np.random.default_rng(0)
    rows = [make_item(at, ("real", "fake")[at % 2], bytes=int(1e5 * (1 + at % 2 * 0.5 + rng.normal(0, 0.3)))) for at in range(200)]
    assert audit_shortcuts(make_table(rows), 5, 1)["video"]["balanced_accuracy"] > 0.7  # type: ignore[operator]
