"""Whether file facts alone tell the classes apart."""

import json

import numpy as np
from dataset_rows import item, table, two_classes
from scipy.stats import binomtest

from realframe.data.shortcut_audit import audit_shortcuts, leaks


def noisy(count: int, seed: int = 0) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    return [
        item(
            at,
            ("real", "fake")[at % 2],
            width=int(rng.integers(200, 900)),
            bytes=int(rng.integers(1e4, 1e6)),
            frames=int(rng.integers(9, 99)),
        )
        for at in range(count)
    ]


def test_facts_that_say_nothing_stay_near_chance() -> None:
    report = audit_shortcuts(table(noisy(120)), 5, 1)["video"]
    assert (report["items"], report["real"], report["fake"], report["folds"]) == (120, 60, 60, 5)
    assert 0.3 < float(report["balanced_accuracy"]) < 0.7  # type: ignore[arg-type]


def test_a_shortcut_is_found_and_named() -> None:
    rows = [row | {"fps": 6.0 if row["label"] == "fake" else 25.0} for row in noisy(100)]
    report = audit_shortcuts(table(rows), 5, 1)["video"]
    assert report["balanced_accuracy"] > 0.95  # type: ignore[operator]
    assert next(iter(report["facts"].items())) == ("fps", 1.0)  # type: ignore[union-attr]


def test_a_codec_is_a_fact_too() -> None:
    rows = [row | {"codec": "vp9" if row["label"] == "fake" else "h264"} for row in noisy(60)]
    assert audit_shortcuts(table(rows), 5, 1)["video"]["facts"]["codec"] == 1.0  # type: ignore[call-overload,index]


def test_groups_are_not_learnt_by_heart() -> None:
    rng = np.random.default_rng(3)
    widths = rng.integers(200, 2000, 30)
    rows = [
        item((group, at), ("real", "fake")[group % 2], group=f"g{group}", width=int(widths[group]))
        for group in range(30)
        for at in range(6)
    ]
    assert audit_shortcuts(table(rows), 5, 1)["video"]["balanced_accuracy"] < 0.75  # type: ignore[operator]


def test_kinds_are_audited_apart_and_in_any_order_alike() -> None:
    rows = noisy(40) + [row | {"kind": "image", "media_id": str(row["media_id"])[::-1]} for row in noisy(40, 1)]
    report = audit_shortcuts(table(rows), 3, 1)
    assert list(report) == ["image", "video"]
    assert json.dumps(report) == json.dumps(audit_shortcuts(table(rows).sample(frac=1, random_state=1), 3, 1))


def test_too_few_items_are_said_instead_of_failing() -> None:
    for rows in (two_classes(1, 5), two_classes(5, 0), [row | {"group": "g"} for row in two_classes(4, 4)]):
        report = audit_shortcuts(table(rows), 5, 1)["video"]
        assert "too few" in str(report["note"]) and "balanced_accuracy" not in report
    assert audit_shortcuts(table([]), 5, 1) == {}
    assert "no fact differs" in str(audit_shortcuts(table(two_classes(9, 9)), 5, 1)["video"]["note"])
    unlike = [row | {"bytes": 1000 + at} for at, row in enumerate(two_classes(2, 3))]
    report = audit_shortcuts(table(unlike), 5, 1)["video"]
    assert (report["folds"], report["low"], report["high"]) == (2, None, None) and not leaks(report, 0.6)


def test_a_leak_is_above_the_limit_and_not_by_luck() -> None:
    assert leaks({"balanced_accuracy": 0.8, "low": 0.6}, 0.7)
    assert not leaks({"balanced_accuracy": 0.8, "low": 0.45}, 0.7)
    assert not leaks({"balanced_accuracy": 0.65, "low": 0.6}, 0.7)
    assert not leaks({"note": "too few"}, 0.7)


def test_a_dozen_items_of_which_most_are_guessed_right_may_be_luck() -> None:
    rows = [item(at, ("real", "fake")[at % 2], fps=6.0 if at % 2 == (at >= 2) else 25.0) for at in range(12)]  # 10 of 12, or 2
    report = audit_shortcuts(table(rows), 5, 1)["video"]
    right = round(float(report["balanced_accuracy"]) * 12)  # type: ignore[arg-type]
    assert report["low"] <= binomtest(right, 12).proportion_ci(method="exact").low + 1e-4  # type: ignore[operator]


def test_the_interval_holds_the_figure_and_narrows_with_more_groups() -> None:
    def shaky(count: int) -> list[dict[str, object]]:
        rng = np.random.default_rng(5)
        return [row | {"fps": 6.0 if (row["label"] == "fake") ^ (rng.random() < 0.25) else 25.0} for row in noisy(count)]

    few, many = (audit_shortcuts(table(shaky(count)), 5, 1)["video"] for count in (40, 360))
    for report in (few, many):
        assert report["low"] < report["balanced_accuracy"] < report["high"]  # type: ignore[operator]
    assert many["high"] - many["low"] < (few["high"] - few["low"]) / 2  # type: ignore[operator]


def test_what_is_a_little_more_in_one_class_throughout_is_found() -> None:
    rng = np.random.default_rng(0)
    rows = [item(at, ("real", "fake")[at % 2], bytes=int(1e5 * (1 + at % 2 * 0.5 + rng.normal(0, 0.3)))) for at in range(200)]
    assert audit_shortcuts(table(rows), 5, 1)["video"]["balanced_accuracy"] > 0.7  # type: ignore[operator]
