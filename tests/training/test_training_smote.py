"""SMOTE: new training items lie where imbalanced-learn puts them, are made of training items alone, and are shown."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from clip_training import Shown, of_clips, without
from imblearn.over_sampling import SMOTE

from realframe.config import Params
from realframe.errors import TooFewItemsError
from realframe.training import clip_training, smote, two_phase
from realframe.training.smote import Between
from realframe.training.training_job import Job

Network, MakeJob, Changed = Callable[..., keras.Model], Callable[..., Job], Callable[..., Params]


def items(real: int, fake: int, width: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Mean features of items in a mixed order, and which are fake."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat([False, True], [real, fake]))
    return random.normal(size=(real + fake, width)).astype(np.float32), labels


def between(values: np.ndarray, item: Between) -> np.ndarray:
    return np.asarray(values[item.base] + item.share * (values[item.neighbour] - values[item.base]))


@pytest.mark.parametrize(("real", "fake"), [(20, 8), (5, 19), (9, 3), (8, 2)])
def test_they_lie_where_imbalanced_learn_puts_them(real: int, fake: int) -> None:
    means, labels = items(real, fake)
    made = smote.synthetic_items(means, labels, seed=5)

    neighbours = min(5, min(real, fake) - 1)
    resampled, of = SMOTE(random_state=5, k_neighbors=neighbours).fit_resample(means, labels)
    assert len(made) == abs(real - fake) == len(resampled) - len(means)
    np.testing.assert_allclose([between(means, item) for item in made], resampled[len(means) :], atol=1e-5)
    assert (of[len(means) :] == (fake < real)).all()


def test_each_lies_between_two_items_of_the_smaller_class() -> None:
    means, labels = items(20, 6)
    for item in smote.synthetic_items(means, labels, seed=0):
        assert labels[item.base] and labels[item.neighbour]
        assert item.base != item.neighbour
        assert 0 <= item.share <= 1


def test_the_seed_alone_decides() -> None:
    means, labels = items(20, 6)
    assert smote.synthetic_items(means, labels, 1) == smote.synthetic_items(means, labels, 1)
    assert smote.synthetic_items(means, labels, 1) != smote.synthetic_items(means, labels, 2)


def test_classes_of_equal_size_get_nothing() -> None:
    assert smote.synthetic_items(*items(4, 4), seed=0) == []


@pytest.mark.parametrize("fake", [0, 1])
def test_a_class_of_one_item_has_no_neighbour(fake: int) -> None:
    with pytest.raises(TooFewItemsError, match=r"smote.*smaller class"):
        smote.synthetic_items(*items(5, fake), seed=0)


@pytest.fixture
def table() -> pd.DataFrame:
    """Frames of items of 3, 1, 5 and 2 frames."""
    counts = {"a": 3, "b": 1, "c": 5, "d": 2}
    rows = [{"media_id": name, "index": at, "weight": 2 / count} for name, count in counts.items() for at in range(count)]
    return pd.DataFrame(rows)


def test_a_table_keeps_its_rows_and_gets_those_of_the_new_items(table: pd.DataFrame) -> None:
    made, rows, shares = smote.with_synthetic_frames(table, [Between(2, 0, 0.25), Between(3, 1, 0.5)])

    pd.testing.assert_frame_equal(made[: len(table)], table)
    np.testing.assert_array_equal(rows[: len(table)], np.arange(len(table))[:, None].repeat(2, axis=1))
    assert not shares[: len(table)].any()
    np.testing.assert_array_equal(rows[len(table) :], [[4, 0], [6, 1], [8, 2], [9, 3]])  # as many as the shorter has, evenly
    np.testing.assert_array_equal(shares[len(table) :], np.float32([0.25, 0.25, 0.25, 0.5]))


def test_a_new_item_weighs_what_its_base_does(table: pd.DataFrame) -> None:
    heavy = table.assign(weight=np.where(table["media_id"] == "c", 3.0, table["weight"]))
    for item, expected in ((Between(2, 0, 0.5), 15.0), (Between(0, 2, 0.5), 2.0), (Between(3, 1, 0.5), 2.0)):
        made, _, _ = smote.with_synthetic_frames(heavy, [item])
        assert made["weight"][len(table) :].sum() == pytest.approx(expected)


def test_no_new_items_change_nothing(table: pd.DataFrame) -> None:
    made, rows, shares = smote.with_synthetic_frames(table, [])
    pd.testing.assert_frame_equal(made, table)
    assert (rows[:, 0] == rows[:, 1]).all() and not shares.any()


@pytest.mark.parametrize("shape", [(6,), (2, 2, 3)])
def test_real_rows_stay_as_they_are_and_new_ones_lie_between(shape: tuple[int, ...], table: pd.DataFrame) -> None:
    values = np.random.default_rng(0).normal(size=(2, len(table), *shape)).astype(np.float32)
    _, rows, shares = smote.with_synthetic_frames(table, [Between(2, 0, 0.25), Between(3, 1, 0.75)])
    gather = smote.interpolated(lambda chosen, views: values[views, chosen], rows, shares)

    asked, views = np.array([14, 0, 10, 12, 11, 10]), np.array([1, 1, 0, 1, 0, 1])
    given = gather(asked, views)

    assert given.dtype == np.float32
    for place, (row, view) in enumerate(zip(asked, views, strict=True)):
        low, high = values[view][rows[row]]
        expected = low if row < len(table) else low + shares[row] * (high - low)
        np.testing.assert_allclose(given[place], expected, rtol=0 if row < len(table) else 1e-6, atol=0 if row < len(table) else 1e-6)


@pytest.mark.parametrize("cache", [True, False])
def test_a_two_phase_training_shows_them_and_validates_on_real_frames(
    cache: bool, network: Network, make_job: MakeJob, changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = changed(phase1={"min_steps": 1, "epochs": 1}, phase2={"min_steps": 1, "epochs": 1}, activations={"cache": cache})
    params = params.model_copy(update={"balance": params.balance.model_copy(update={"method": "smote"})})
    whole = make_job(params)
    job = make_job(params, frames=without(whole.frames, label=1, items=4))
    shown = Shown().watch(monkeypatch)

    outcome = two_phase.fit(network(params), job)

    train, val = job.frames["train"], job.frames["val"]
    assert job.smote
    assert [row["phase"] for row in outcome.history] == [1, 1, 2]
    for table, inputs, checked in zip(shown.tables, shown.inputs, shown.checked, strict=True):
        added = table[len(train) :]
        pd.testing.assert_frame_equal(table[: len(train)], train)
        assert (added["label"] == 1).all()
        assert set(added["media_id"]) <= set(train.loc[train["label"] == 1, "media_id"])
        assert added["weight"].sum() == pytest.approx(4 * train.groupby("media_id")["weight"].sum().iloc[0])
        assert inputs.keys() == set(range(len(table)))
        assert len(checked) == len(val)


def test_without_smote_only_real_frames_are_shown(
    network: Network, make_job: MakeJob, changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = changed(phase1={"min_steps": 1, "epochs": 1}, phase2={"unfreeze_last": 0})
    job = make_job(params)
    shown = Shown().watch(monkeypatch)
    two_phase.fit(network(params), make_job(params, frames=without(job.frames, label=1, items=4)))
    assert len(shown.tables[0]) == len(without(job.frames, label=1, items=4)["train"])


def test_a_clip_training_shows_them_between_the_clips_of_training(
    network: Network, make_job: MakeJob, tiny: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    params = of_clips(tiny, "smote", head={"kind": "simple_rnn"}, phase1={"epochs": 1}, activations={"views": 1})
    job = make_job(params, frames=without(make_job(params).frames, label=0, items=5))
    shown = Shown().watch(monkeypatch)

    clip_training.fit(network(params), job)

    clips = clip_training.clip_table(job.frames["train"])
    expected = smote.synthetic_items(job.features.means(clips["media_id"]), clips["label"].to_numpy() == 1, job.seed)
    (table,), (inputs,), (checked,) = shown.tables, shown.inputs, shown.checked
    assert table["label"].value_counts().to_dict() == {0: 8, 1: 8}
    assert len(expected) == 5 and len(checked) == 6
    assert inputs.keys() == set(range(16))
    for row, item in enumerate(expected, start=len(clips)):
        assert table["label"][row] == 0 == table["label"][item.base]
        pair = [clip_training.sequence(job.features.of(clips["media_id"][at]), 2) for at in (item.base, item.neighbour)]
        count = min(map(len, pair))
        low, high = (clip_training.sequence(features, count) for features in pair)
        np.testing.assert_allclose(inputs[row][:count], low + item.share * (high - low), rtol=1e-5)
        assert not inputs[row][count:].any()
