"""Drift: windows of predictions, their measures against the reference, the rules, and the alarms."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from realframe.drift import drift_rules
from realframe.drift.drift_rules import DriftRules, WindowSize
from realframe.drift.drift_watch import ReferenceSample, measure_window, raise_alarm, split_into_windows, watch_model
from realframe.errors import ParamsError
from realframe.store.repository import Store
from realframe.store.user_documents import DriftWindow
from tests.drift.sample_predictions import START, make_predictions, reference_table, rules_text

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def reference() -> ReferenceSample:
    table = reference_table()
    return ReferenceSample(table.loc[table["split"] == "val", "score"].to_numpy(), np.stack(table["features"].to_list()).astype(np.float64))


@pytest.fixture
def rules(root: Path) -> DriftRules:
    return drift_rules.load_drift_rules(root)


@given(st.integers(0, 40), st.integers(2, 9))
@hypothesis_settings(deadline=None)
def test_windows_of_items_are_full_ordered_and_stable(count: int, items: int) -> None:
    predictions = make_predictions(count)
    windows, waiting = split_into_windows(predictions[::-1], WindowSize(items=items), LATER)
    assert [len(window.predictions) for window in windows] == [items] * (count // items)
    assert waiting == count % items
    assert [prediction for window in windows for prediction in window.predictions] == predictions[: count - waiting]
    more, _ = split_into_windows([*predictions, *make_predictions(7, first=count)], WindowSize(items=items), LATER)
    assert more[: len(windows)] == windows


def test_a_window_of_hours_is_full_when_its_hours_have_passed() -> None:
    predictions = make_predictions(30)  # five hours
    windows, waiting = split_into_windows(predictions, WindowSize(hours=2), START + timedelta(hours=5))
    assert [(window.name, len(window.predictions)) for window in windows] == [("h2-20260301T00", 12), ("h2-20260301T02", 12)]
    assert waiting == 6
    assert len(split_into_windows(predictions, WindowSize(hours=2), START + timedelta(hours=6))[0]) == 3


@pytest.mark.parametrize(
    ("shift", "moved", "drifting"),
    [(0.0, 0.0, set()), (0.35, 0.0, {"score_psi", "score_ks"}), (0.0, 0.8, {"feature_mmd"})],
)
def test_each_measure_detects_its_kind_of_shift(
    reference: ReferenceSample, rules: DriftRules, shift: float, moved: float, drifting: set[str]
) -> None:
    found = measure_window(make_predictions(50, shift=shift, moved=moved), reference, rules)
    assert {measure.name for measure in found if measure.exceeds_limit} == drifting
    assert [measure.name for measure in found] == ["score_psi", "score_ks", "feature_mmd"]


def test_few_windows_from_the_reference_distribution_drift(reference: ReferenceSample, rules: DriftRules) -> None:
    windows = [measure_window(make_predictions(50, first=1000 * number), reference, rules) for number in range(1, 41)]
    assert sum(any(measure.exceeds_limit for measure in found) for found in windows) <= 2


@pytest.mark.parametrize(("count", "reference_items"), [(19, 120), (50, 19)])
def test_too_few_items_give_no_measures(reference: ReferenceSample, rules: DriftRules, count: int, reference_items: int) -> None:
    assert measure_window(make_predictions(count), ReferenceSample(reference.scores[:reference_items], reference.features), rules) == ()


def test_enough_drifting_windows_are_one_drift_and_one_alarm(reference: ReferenceSample, rules: DriftRules, store: Store) -> None:
    store.upsert(make_predictions(150))
    assert not watch_model(store, 1, reference, rules).has_drifted
    store.upsert(make_predictions(100, first=150, shift=0.35))
    two = watch_model(store, 1, reference, rules)
    assert [window.is_drifting for window in two.windows] == [False, False, False, True, True] and not two.has_drifted
    store.upsert(make_predictions(70, first=250, shift=0.35))
    three = watch_model(store, 1, reference, rules)
    assert three.has_drifted and three.needs_alarm and three.pending == 20
    raise_alarm(store, three)
    alarmed = watch_model(store, 1, reference, rules)
    assert alarmed.has_drifted and not alarmed.needs_alarm
    store.upsert(make_predictions(130, first=320, shift=0.35))
    again = watch_model(store, 1, reference, rules)
    assert again.needs_alarm and [window.alarm_raised for window in again.windows] == [False, True, False, False, False]


def test_a_window_is_measured_once(reference: ReferenceSample, rules: DriftRules, store: Store) -> None:
    store.upsert(make_predictions(50))
    watch_model(store, 1, reference, rules)
    (first,) = store.find(DriftWindow)
    store.upsert(make_predictions(50, first=50))
    watch_model(store, 1, reference, rules)
    assert store.get(DriftWindow, first.key) == first and len(store.find_keys(DriftWindow)) == 2


def test_predictions_of_another_version_do_not_count(reference: ReferenceSample, rules: DriftRules, store: Store) -> None:
    store.upsert(make_predictions(250, shift=0.35, model=2))
    assert watch_model(store, 1, reference, rules).windows == ()
    assert watch_model(store, 2, reference, rules).has_drifted


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"window": {"items": 50, "hours": 2}}, "set either items or hours"),
        ({"window": {"items": 10}}, "less than min_items"),
        ({"min_drifting_windows": 6}, "greater than recent_windows"),
        ({"significance": "high"}, "significance"),
        ({"significanc": 1}, "significanc"),
    ],
)
def test_inconsistent_rules_are_refused(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / drift_rules.FILE).write_text(rules_text(**changes))
    with pytest.raises(ParamsError, match=reason):
        drift_rules.load_drift_rules(tmp_path)
