"""Windows of predictions beside the reference: what drifts is told, what does not is not, and an alarm is given once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from drifting import BEGAN, planted, reference_table, rules_text
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from realframe.drift import drift_rules
from realframe.drift.drift_rules import DriftRules, Span
from realframe.drift.drift_watch import raise_alarm, watch
from realframe.drift.drift_windows import DriftReference, cut, measures
from realframe.errors import ParamsError
from realframe.store.repository import Store
from realframe.store.user_documents import DriftWindow

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def like() -> DriftReference:
    table = reference_table()
    return DriftReference(table.loc[table["split"] == "val", "score"].to_numpy(), np.stack(table["features"].to_list()).astype(np.float64))


@pytest.fixture
def rules(root: Path) -> DriftRules:
    return drift_rules.load_drift_rules(root)


@given(st.integers(0, 40), st.integers(2, 9))
@hypothesis_settings(deadline=None)
def test_windows_of_items_are_full_and_in_order_and_stay_when_more_come(count: int, items: int) -> None:
    told = planted(count)
    windows, waiting = cut(told[::-1], Span(items=items), LATER)
    assert [len(window.predictions) for window in windows] == [items] * (count // items)
    assert waiting == count % items
    assert [prediction for window in windows for prediction in window.predictions] == told[: count - waiting]
    more, _ = cut([*told, *planted(7, first=count)], Span(items=items), LATER)
    assert more[: len(windows)] == windows


def test_a_window_of_hours_is_full_when_they_are_over() -> None:
    told = planted(30)  # five hours
    windows, waiting = cut(told, Span(hours=2), BEGAN + timedelta(hours=5))
    assert [(window.name, len(window.predictions)) for window in windows] == [("h2-20260301T00", 12), ("h2-20260301T02", 12)]
    assert waiting == 6
    assert len(cut(told, Span(hours=2), BEGAN + timedelta(hours=6))[0]) == 3


@pytest.mark.parametrize(
    ("shift", "moved", "beyond"),
    [(0.0, 0.0, set()), (0.35, 0.0, {"score_psi", "score_ks"}), (0.0, 0.8, {"feature_mmd"})],
)
def test_each_measure_sees_what_it_is_for(like: DriftReference, rules: DriftRules, shift: float, moved: float, beyond: set[str]) -> None:
    found = measures(planted(50, shift=shift, moved=moved), like, rules)
    assert {measure.name for measure in found if measure.beyond} == beyond
    assert [measure.name for measure in found] == ["score_psi", "score_ks", "feature_mmd"]


def test_of_windows_that_are_like_the_reference_few_drift(like: DriftReference, rules: DriftRules) -> None:
    windows = [measures(planted(50, first=1000 * number), like, rules) for number in range(1, 41)]
    assert sum(any(measure.beyond for measure in found) for found in windows) <= 2


@pytest.mark.parametrize(("count", "kept"), [(19, 120), (50, 19)])
def test_few_items_say_nothing(like: DriftReference, rules: DriftRules, count: int, kept: int) -> None:
    assert measures(planted(count), DriftReference(like.scores[:kept], like.features), rules) == ()


def test_so_many_windows_make_a_drift_and_one_alarm(like: DriftReference, rules: DriftRules, store: Store) -> None:
    store.upsert(planted(150))
    assert not watch(store, 1, like, rules).drift
    store.upsert(planted(100, first=150, shift=0.35))
    two = watch(store, 1, like, rules)
    assert [window.drifting for window in two.windows] == [False, False, False, True, True] and not two.drift
    store.upsert(planted(70, first=250, shift=0.35))
    three = watch(store, 1, like, rules)
    assert three.drift and three.alarm and three.waiting == 20
    raise_alarm(store, three)
    told = watch(store, 1, like, rules)
    assert told.drift and not told.alarm
    store.upsert(planted(130, first=320, shift=0.35))
    again = watch(store, 1, like, rules)
    assert again.alarm and [window.raised for window in again.windows] == [False, True, False, False, False]


def test_a_window_is_measured_once(like: DriftReference, rules: DriftRules, store: Store) -> None:
    store.upsert(planted(50))
    watch(store, 1, like, rules)
    (first,) = store.find(DriftWindow)
    store.upsert(planted(50, first=50))
    watch(store, 1, like, rules)
    assert store.get(DriftWindow, first.key) == first and len(store.keys(DriftWindow)) == 2


def test_predictions_of_another_version_are_its_own(like: DriftReference, rules: DriftRules, store: Store) -> None:
    store.upsert(planted(250, shift=0.35, model=2))
    assert watch(store, 1, like, rules).windows == ()
    assert watch(store, 2, like, rules).drift


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"window": {"items": 50, "hours": 2}}, "one of items and hours"),
        ({"window": {"items": 10}}, "fewer items than it must"),
        ({"drifting": 6}, "more windows must drift"),
        ({"level": "high"}, "level"),
        ({"leve": 1}, "leve"),
    ],
)
def test_rules_that_make_no_sense_are_told(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / drift_rules.FILE).write_text(rules_text(**changes))
    with pytest.raises(ParamsError, match=said):
        drift_rules.load_drift_rules(tmp_path)
