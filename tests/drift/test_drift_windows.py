"""Drift: windows of predictions, their measures against the reference, the rules, and the alarms."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymongo.cursor import Cursor

from realframe.drift import drift_rules
from realframe.drift.drift_rules import DriftRules, WindowSize
from realframe.drift.drift_watch import PredictionWindow, ReferenceSample, measure_window, raise_alarm, read_next_window, watch_model
from realframe.errors import ParamsError
from realframe.models import frame_features
from realframe.store.repository import Store
from realframe.store.user_documents import DriftMeasure, DriftWindow, Prediction
from tests.drift.sample_predictions import START, make_predictions, reference_table, rules_text

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def reference() -> ReferenceSample:
    table = reference_table()
    return ReferenceSample(table.loc[table["split"] == "val", "score"].to_numpy(), np.stack(table["features"].to_list()).astype(np.float64))


@pytest.fixture
def rules(root: Path) -> DriftRules:
    return drift_rules.load_drift_rules(root)


def measure(predictions: list[Prediction], reference: ReferenceSample, rules: DriftRules) -> tuple[DriftMeasure, ...]:
    scores = np.array([prediction.score for prediction in predictions])
    features = np.stack([frame_features.decode_vector(prediction.features) for prediction in predictions]).astype(np.float64)
    return measure_window(scores, features, reference, rules)


def read_windows(store: Store, size: WindowSize, until: datetime = LATER) -> tuple[list[PredictionWindow], int]:
    """Return the full windows, read one after the other, and the number of predictions that wait for the next one."""
    windows: list[PredictionWindow] = []
    last: DriftWindow | None = None
    while True:
        window, pending = read_next_window(store, 1, size, last, until)
        if window is None:
            return windows, pending
        windows.append(window)
        last = make_window(window)


def make_window(window: PredictionWindow) -> DriftWindow:
    return DriftWindow(
        window_id=f"1-{window.name}",
        model=1,
        size=window.name.partition("-")[0],
        start=window.rows[0].created,
        end=window.rows[-1].created,
        last_prediction=window.rows[-1].prediction_id,
        items=len(window.rows),
        is_measured=False,
        measures=(),
        is_drifting=False,
        alarm_raised=False,
        created="2026-01-01T00:00:00.000+00:00",
    )


def keys(windows: list[PredictionWindow]) -> list[str]:
    return [row.prediction_id for window in windows for row in window.rows]


@pytest.mark.parametrize(("count", "items"), [(0, 2), (1, 2), (6, 3), (40, 9), (23, 7)])
def test_windows_of_items_are_full_ordered_and_stable(store: Store, count: int, items: int) -> None:
    predictions = make_predictions(count)
    store.upsert(predictions[::-1])
    windows, waiting = read_windows(store, WindowSize(items=items))
    assert [len(window.rows) for window in windows] == [items] * (count // items)
    assert waiting == count % items
    assert keys(windows) == [prediction.key for prediction in predictions[: count - waiting]]
    store.upsert(make_predictions(7, first=count))
    assert read_windows(store, WindowSize(items=items))[0][: len(windows)] == windows


@pytest.mark.parametrize("step_ms", [0, 1, 300])
def test_predictions_of_one_second_are_read_once_and_in_order(store: Store, step_ms: int) -> None:
    """The embedded store compares times in texts by the second."""
    times = [(START + timedelta(milliseconds=step_ms * number)).isoformat(timespec="milliseconds") for number in range(11)]
    facts = [prediction.model_dump(exclude={"created_ms"}) for prediction in make_predictions(11)]
    predictions = [Prediction.model_validate(row | {"created": time}) for row, time in zip(facts, times, strict=True)]
    store.upsert(predictions[::-1])
    windows, waiting = read_windows(store, WindowSize(items=2))
    assert keys(windows) == [one.key for one in sorted(predictions, key=lambda one: (one.created, one.key))[:10]]
    assert waiting == 1


def test_a_window_of_hours_is_full_when_its_hours_have_passed(store: Store) -> None:
    store.upsert(make_predictions(30))  # five hours
    windows, waiting = read_windows(store, WindowSize(hours=2), START + timedelta(hours=5))
    assert [(window.name, len(window.rows)) for window in windows] == [("h2-20260301T00", 12), ("h2-20260301T02", 12)]
    assert waiting == 6
    assert len(read_windows(store, WindowSize(hours=2), START + timedelta(hours=6))[0]) == 3
    assert read_windows(store, WindowSize(hours=24), START + timedelta(hours=6)) == ([], 30)


def test_a_check_reads_only_what_is_new(
    store: Store, reference: ReferenceSample, rules: DriftRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check after 1,200 stored predictions reads as many documents and bytes as one after 300."""
    read: list[dict[str, Any]] = []

    def check() -> tuple[int, int]:
        read.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Cursor, "next", lambda cursor, next_row=Cursor.next: read.append(row := next_row(cursor)) or row)
            patch.setattr(Cursor, "__next__", lambda cursor: cursor.next())
            watch_model(store, 1, reference, rules)
        return len(read), len(json.dumps(read))

    store.upsert(make_predictions(310))
    watch_model(store, 1, reference, rules)
    few = check()
    store.upsert(make_predictions(900, first=310))
    watch_model(store, 1, reference, rules)
    many = check()
    assert many[0] <= few[0] + 5 <= 30
    assert many[1] < few[1] + 5_000
    store.upsert(make_predictions(45, first=1210))
    documents, characters = check()  # one more window, with its features
    assert documents < 200
    assert characters < 50_000


@pytest.mark.parametrize(
    ("shift", "moved", "drifting"),
    [(0.0, 0.0, set()), (0.35, 0.0, {"score_psi", "score_ks"}), (0.0, 0.8, {"feature_mmd"})],
)
def test_each_measure_detects_its_kind_of_shift(
    reference: ReferenceSample, rules: DriftRules, shift: float, moved: float, drifting: set[str]
) -> None:
    found = measure(make_predictions(50, shift=shift, moved=moved), reference, rules)
    assert {measure.name for measure in found if measure.exceeds_limit} == drifting
    assert [measure.name for measure in found] == ["score_psi", "score_ks", "feature_mmd"]


def test_few_windows_from_the_reference_distribution_drift(reference: ReferenceSample, rules: DriftRules) -> None:
    windows = [measure(make_predictions(50, first=1000 * number), reference, rules) for number in range(1, 41)]
    assert sum(any(measure.exceeds_limit for measure in found) for found in windows) <= 2


@pytest.mark.parametrize(("count", "reference_items"), [(19, 120), (50, 19)])
def test_too_few_items_give_no_measures(reference: ReferenceSample, rules: DriftRules, count: int, reference_items: int) -> None:
    assert measure(make_predictions(count), ReferenceSample(reference.scores[:reference_items], reference.features), rules) == ()


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
