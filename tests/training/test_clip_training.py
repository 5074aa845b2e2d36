"""Clip training: it learns, resumes after a kill, is deterministic, and thins and pads clips of any length."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from realframe.config import Params
from realframe.models import detector_network, heads
from realframe.training import clip_training
from realframe.training.training_job import TrainingJob, TrainingOutcome
from tests.training.training_spy import PhaseRecorder, make_clip_params

Network, MakeJob = Callable[..., keras.Model], Callable[..., TrainingJob]


class StopTrainingError(Exception):
    """Ends a training from within."""


def stop_after(epoch: int) -> Callable[[dict[str, Any]], None]:
    def listener(row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            raise StopTrainingError

    return listener


def comparable(outcome: TrainingOutcome) -> pd.DataFrame:
    return pd.DataFrame(outcome.history).drop(columns="seconds")


def same_weights(one: keras.Model, other: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_it_separates_separable_clips_and_keeps_its_best_epoch(network: Network, make_job: MakeJob, tiny: Params) -> None:
    params = make_clip_params(tiny, phase1={"epochs": 8, "min_steps": 5})
    model, rows_seen = network(params), []
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.name != detector_network.CLIP_HEAD}
    job = make_job(params, listeners=(rows_seen.append,))
    outcome = clip_training.train_clip_head(model, job)

    assert outcome.best["val_auc"] >= 0.99
    assert outcome.best["val_loss"] == min(row["val_loss"] for row in outcome.history)
    assert rows_seen == outcome.history
    assert (outcome.unfrozen, outcome.computed_activations) == ([], 0)
    assert all(
        np.array_equal(a, b) for name, weights in before.items() for a, b in zip(weights, model.get_layer(name).get_weights(), strict=True)
    )
    head, val = detector_network.get_clip_head(model), clip_training.build_clip_table(job.frames["val"])
    assert head is not None
    sequences = [clip_training.subsample_sequence(job.features.load_item(media_id), 2) for media_id in val["media_id"]]
    scores = np.asarray(head(np.stack([np.pad(clip, ((0, 2 - len(clip)), (0, 0))) for clip in sequences])))[:, 0]
    losses = -np.log(np.where(val["label"] == 1, scores, 1 - scores))
    assert losses.mean() == pytest.approx(outcome.best["val_loss"], rel=1e-3)


def test_a_training_killed_twice_ends_as_one_that_was_never_stopped(
    network: Network, make_job: MakeJob, tiny: Params, tmp_path: Path
) -> None:
    rates = {"reduce_lr": {"patience": 1, "factor": 0.3}, "early_stopping": 3}
    params = make_clip_params(tiny, head={"dropout": 0.3}, phase1={"epochs": 4, "learning_rate": 0.3}, **rates)
    whole_model, model = network(params), network(params)
    whole = clip_training.train_clip_head(whole_model, make_job(params, state_dir=tmp_path / "whole"))

    for epoch in (1, 3):
        with pytest.raises(StopTrainingError):
            clip_training.train_clip_head(network(params), make_job(params, listeners=(stop_after(epoch),)))
    rows_seen: list[dict[str, Any]] = []
    resumed = clip_training.train_clip_head(model, make_job(params, listeners=(rows_seen.append,)))

    pd.testing.assert_frame_equal(comparable(resumed), comparable(whole), check_exact=True)
    assert same_weights(model, whole_model)
    assert [row["epoch"] for row in rows_seen] == [3, 4]  # only the killed epoch is repeated


def test_the_seed_alone_decides(network: Network, make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    params = make_clip_params(tiny, head={"kind": "simple_rnn"}, phase1={"epochs": 2})
    models = [network(params) for _ in range(3)]
    seeds = (params.seed, params.seed, 7)
    jobs = [make_job(params, seed=seed, state_dir=tmp_path / str(number)) for number, seed in enumerate(seeds)]
    one, two, other = [clip_training.train_clip_head(model, job) for model, job in zip(models, jobs, strict=True)]

    pd.testing.assert_frame_equal(comparable(one), comparable(two), check_exact=True)
    assert same_weights(models[0], models[1])
    assert not comparable(one)["val_loss"].equals(comparable(other)["val_loss"])


def test_long_clips_are_thinned_evenly_and_short_ones_padded(
    network: Network, make_job: MakeJob, tiny: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = make_clip_params(tiny, head={"kind": "simple_rnn"}, phase1={"epochs": 1})
    job = make_job(params)
    recorder = PhaseRecorder().install(monkeypatch)
    clip_training.train_clip_head(network(params), job)

    clips, seen = clip_training.build_clip_table(job.frames["train"]), set()
    for row, values in recorder.inputs[0].items():
        views = [job.features.load_item(clips["media_id"][row], view) for view in (0, 1)]
        thinned = [features[[0, -1] if len(features) > 1 else [0]] for features in views]
        padded = [np.concatenate([features, np.zeros((2 - len(features), features.shape[1]))]) for features in thinned]
        seen |= {(len(views[0]), view) for view in (0, 1) if np.array_equal(values, padded[view])}
        assert any(np.array_equal(values, features) for features in padded)
    assert {frames for frames, _ in seen} == {1, 2, 3}
    assert {view for _, view in seen} == {0, 1}


def test_a_longer_clip_keeps_its_ends_and_even_steps() -> None:
    features = np.arange(20, dtype=np.float32)[:, None]
    for length, expected in ((1, [0]), (2, [0, 19]), (5, [0, 5, 10, 14, 19]), (20, range(20)), (99, range(20))):
        assert clip_training.subsample_sequence(features, length)[:, 0].tolist() == pytest.approx(list(expected))


def test_padding_does_not_change_the_score_of_a_trained_head(network: Network, make_job: MakeJob, tiny: Params) -> None:
    params = make_clip_params(tiny, head={"kind": "bilstm_attention", "length": 6}, phase1={"epochs": 1})
    model, job = network(params), make_job(params)
    clip_training.train_clip_head(model, job)

    head = detector_network.get_clip_head(model)
    assert head is not None
    clips = [job.features.load_item(media_id) for media_id in clip_training.build_clip_table(job.frames["val"])["media_id"]]
    padded, twice = (np.stack([np.pad(clip, ((0, length - len(clip)), (0, 0))) for clip in clips]) for length in (6, 12))
    scores = np.asarray(head(padded))
    assert np.ptp(scores) > 0.01
    np.testing.assert_allclose(np.asarray(head(twice)), scores, atol=1e-5)
    for clip, score in zip(clips, scores, strict=True):
        if len(clip) > 1:  # Keras warns of a softmax over a single frame
            np.testing.assert_allclose(np.asarray(head(clip[None]))[0], score, atol=1e-5)


def test_the_head_standardizes_by_view_0_of_the_training_frames(network: Network, make_job: MakeJob, tiny: Params) -> None:
    params = make_clip_params(tiny, head={"kind": "simple_rnn"}, phase1={"epochs": 1})
    model, job = network(params), make_job(params)
    clip_training.train_clip_head(model, job)

    head = detector_network.get_clip_head(model)
    assert head is not None
    layer, frames = head.get_layer(heads.STANDARDIZED), job.features.load_frames(job.frames["train"])
    np.testing.assert_allclose(np.ravel(layer.mean), frames.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(np.ravel(layer.variance), frames.var(axis=0), rtol=1e-3, atol=1e-12)


def test_a_clip_has_the_weight_of_its_item_and_the_mean_over_an_epoch_is_one() -> None:
    frames = pd.DataFrame(
        {"media_id": list("aaabcc"), "label": [1, 1, 1, 0, 0, 0], "repeat": [1, 1, 1, 3, 1, 1], "weight": [1, 1, 1, 1, 2, 2]}
    )
    table = clip_training.build_clip_table(frames)
    assert table["media_id"].tolist() == ["a", "b", "c"]
    assert table["label"].tolist() == [1, 0, 0]
    assert np.average(table["weight"], weights=table["repeat"]) == pytest.approx(1)
    np.testing.assert_allclose(table["weight"] / table["weight"][1], [3, 1, 4])
