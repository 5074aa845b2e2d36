"""SMOTE: synthetic items are those of imbalanced-learn, interpolated between training items alone, and used in training."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE

from realframe.config import Params
from realframe.errors import TooFewItemsError
from realframe.training import clip_training, smote, two_phase
from realframe.training.smote import SyntheticItem
from realframe.training.training_job import TrainingJob
from tests.training.training_spy import PhaseRecorder, drop_items, make_clip_params

Network, MakeJob, Changed = Callable[..., keras.Model], Callable[..., TrainingJob], Callable[..., Params]


def make_means(real: int, fake: int, width: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Mean features of items in a mixed order, and which are fake."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat([False, True], [real, fake]))
    return random.normal(size=(real + fake, width)).astype(np.float32), labels


def interpolate(values: np.ndarray, item: SyntheticItem) -> np.ndarray:
    return np.asarray(values[item.base] + item.share * (values[item.neighbor] - values[item.base]))


@pytest.mark.parametrize(("real", "fake"), [(20, 8), (5, 19), (9, 3), (8, 2)])
def test_synthetic_items_are_those_of_imbalanced_learn(real: int, fake: int) -> None:
    means, labels = make_means(real, fake)
    made = smote.make_synthetic_items(means, labels, seed=5)

    neighbors = min(5, min(real, fake) - 1)
    resampled, of = SMOTE(random_state=5, k_neighbors=neighbors).fit_resample(means, labels)
    assert len(made) == abs(real - fake) == len(resampled) - len(means)
    np.testing.assert_allclose([interpolate(means, item) for item in made], resampled[len(means) :], atol=1e-5)
    assert (of[len(means) :] == (fake < real)).all()


def test_each_item_is_between_two_items_of_the_smaller_class() -> None:
    means, labels = make_means(20, 6)
    for item in smote.make_synthetic_items(means, labels, seed=0):
        assert labels[item.base] and labels[item.neighbor]
        assert item.base != item.neighbor
        assert 0 <= item.share <= 1


def test_the_seed_alone_decides() -> None:
    means, labels = make_means(20, 6)
    assert smote.make_synthetic_items(means, labels, 1) == smote.make_synthetic_items(means, labels, 1)
    assert smote.make_synthetic_items(means, labels, 1) != smote.make_synthetic_items(means, labels, 2)


def test_classes_of_equal_size_get_no_items() -> None:
    assert smote.make_synthetic_items(*make_means(4, 4), seed=0) == []


@pytest.mark.parametrize("fake", [0, 1])
def test_a_class_of_one_item_is_an_error(fake: int) -> None:
    with pytest.raises(TooFewItemsError, match=r"smote.*smaller class"):
        smote.make_synthetic_items(*make_means(5, fake), seed=0)


@pytest.fixture
def table() -> pd.DataFrame:
    """Frames of items of 3, 1, 5 and 2 frames."""
    counts = {"a": 3, "b": 1, "c": 5, "d": 2}
    rows = [{"media_id": name, "index": at, "weight": 2 / count} for name, count in counts.items() for at in range(count)]
    return pd.DataFrame(rows)


def test_the_rows_of_synthetic_items_are_appended(table: pd.DataFrame) -> None:
    made, rows, shares = smote.add_synthetic_frames(table, [SyntheticItem(2, 0, 0.25), SyntheticItem(3, 1, 0.5)])

    pd.testing.assert_frame_equal(made[: len(table)], table)
    np.testing.assert_array_equal(rows[: len(table)], np.arange(len(table))[:, None].repeat(2, axis=1))
    assert not shares[: len(table)].any()
    np.testing.assert_array_equal(rows[len(table) :], [[4, 0], [6, 1], [8, 2], [9, 3]])  # as many as the shorter item has, evenly spaced
    np.testing.assert_array_equal(shares[len(table) :], np.float32([0.25, 0.25, 0.25, 0.5]))


def test_a_synthetic_item_has_the_weight_of_its_base(table: pd.DataFrame) -> None:
    heavy = table.assign(weight=np.where(table["media_id"] == "c", 3.0, table["weight"]))
    for item, expected in ((SyntheticItem(2, 0, 0.5), 15.0), (SyntheticItem(0, 2, 0.5), 2.0), (SyntheticItem(3, 1, 0.5), 2.0)):
        made, _, _ = smote.add_synthetic_frames(heavy, [item])
        assert made["weight"][len(table) :].sum() == pytest.approx(expected)


def test_no_synthetic_items_change_nothing(table: pd.DataFrame) -> None:
    made, rows, shares = smote.add_synthetic_frames(table, [])
    pd.testing.assert_frame_equal(made, table)
    assert (rows[:, 0] == rows[:, 1]).all() and not shares.any()


@pytest.mark.parametrize("shape", [(6,), (2, 2, 3)])
def test_real_rows_are_unchanged_and_synthetic_ones_are_interpolated(shape: tuple[int, ...], table: pd.DataFrame) -> None:
    values = np.random.default_rng(0).normal(size=(2, len(table), *shape)).astype(np.float32)
    _, rows, shares = smote.add_synthetic_frames(table, [SyntheticItem(2, 0, 0.25), SyntheticItem(3, 1, 0.75)])
    gather = smote.interpolate_inputs(lambda chosen, views: values[views, chosen], rows, shares)

    table_rows, views = np.array([14, 0, 10, 12, 11, 10]), np.array([1, 1, 0, 1, 0, 1])
    inputs = gather(table_rows, views)

    assert inputs.dtype == np.float32
    for place, (row, view) in enumerate(zip(table_rows, views, strict=True)):
        low, high = values[view][rows[row]]
        expected = low if row < len(table) else low + shares[row] * (high - low)
        np.testing.assert_allclose(inputs[place], expected, rtol=0 if row < len(table) else 1e-6, atol=0 if row < len(table) else 1e-6)


@pytest.mark.parametrize("cache", [True, False])
def test_a_two_phase_training_uses_synthetic_items_and_validates_on_real_frames(
    cache: bool, network: Network, make_job: MakeJob, changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = changed(phase1={"min_steps": 1, "epochs": 1}, phase2={"min_steps": 1, "epochs": 1}, activations={"cache": cache})
    params = params.model_copy(update={"balance": params.balance.model_copy(update={"method": "smote"})})
    whole = make_job(params)
    job = make_job(params, frames=drop_items(whole.frames, label=1, items=4))
    recorder = PhaseRecorder().install(monkeypatch)

    outcome = two_phase.train_two_phase(network(params), job)

    train, val = job.frames["train"], job.frames["val"]
    assert job.use_smote
    assert [row["phase"] for row in outcome.history] == [1, 1, 2]
    for table, inputs, validation_labels in zip(recorder.tables, recorder.inputs, recorder.validation_labels, strict=True):
        added = table[len(train) :]
        pd.testing.assert_frame_equal(table[: len(train)], train)
        assert (added["label"] == 1).all()
        assert set(added["media_id"]) <= set(train.loc[train["label"] == 1, "media_id"])
        assert added["weight"].sum() == pytest.approx(4 * train.groupby("media_id")["weight"].sum().iloc[0])
        assert inputs.keys() == set(range(len(table)))
        assert len(validation_labels) == len(val)


def test_without_smote_only_real_frames_are_used(
    network: Network, make_job: MakeJob, changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = changed(phase1={"min_steps": 1, "epochs": 1}, phase2={"unfreeze_last": 0})
    job = make_job(params)
    recorder = PhaseRecorder().install(monkeypatch)
    two_phase.train_two_phase(network(params), make_job(params, frames=drop_items(job.frames, label=1, items=4)))
    assert len(recorder.tables[0]) == len(drop_items(job.frames, label=1, items=4)["train"])


def test_a_clip_training_uses_synthetic_clips(
    network: Network, make_job: MakeJob, tiny: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    params = make_clip_params(tiny, "smote", head={"kind": "simple_rnn"}, phase1={"epochs": 1}, activations={"views": 1})
    job = make_job(params, frames=drop_items(make_job(params).frames, label=0, items=5))
    recorder = PhaseRecorder().install(monkeypatch)

    clip_training.train_clip_head(network(params), job)

    clips = clip_training.build_clip_table(job.frames["train"])
    expected = smote.make_synthetic_items(job.features.load_means(clips["media_id"]), clips["label"].to_numpy() == 1, job.seed)
    (table,), (inputs,), (validation_labels,) = recorder.tables, recorder.inputs, recorder.validation_labels
    assert table["label"].value_counts().to_dict() == {0: 8, 1: 8}
    assert len(expected) == 5 and len(validation_labels) == 6
    assert inputs.keys() == set(range(16))
    for row, item in enumerate(expected, start=len(clips)):
        assert table["label"][row] == 0 == table["label"][item.base]
        pair = [clip_training.subsample_sequence(job.features.load_item(clips["media_id"][at]), 2) for at in (item.base, item.neighbor)]
        count = min(map(len, pair))
        low, high = (clip_training.subsample_sequence(features, count) for features in pair)
        np.testing.assert_allclose(inputs[row][:count], low + item.share * (high - low), rtol=1e-5)
        assert not inputs[row][count:].any()
