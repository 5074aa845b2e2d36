"""The training of a clip head: it learns, goes on after a kill, repeats itself, and sees a clip of any length the same way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from clip_training import Shown, of_clips

from realframe.config import Params
from realframe.models import detector_network, heads
from realframe.training import clip_training
from realframe.training.training_job import Job, Outcome

Network, MakeJob = Callable[..., keras.Model], Callable[..., Job]


class PowerCutError(Exception):
    """Ends a training from within."""


def cut_after(epoch: int) -> Callable[[dict[str, Any]], None]:
    def listener(row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            raise PowerCutError

    return listener


def comparable(outcome: Outcome) -> pd.DataFrame:
    return pd.DataFrame(outcome.history).drop(columns="seconds")


def same_weights(one: keras.Model, other: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_it_tells_separable_clips_apart_and_keeps_its_best_epoch(network: Network, make_job: MakeJob, tiny: Params) -> None:
    params = of_clips(tiny, phase1={"epochs": 8, "min_steps": 5})
    model, told = network(params), []
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.name != detector_network.CLIP_HEAD}
    job = make_job(params, listeners=(told.append,))
    outcome = clip_training.fit(model, job)

    assert outcome.best["val_auc"] >= 0.99
    assert outcome.best["val_loss"] == min(row["val_loss"] for row in outcome.history)
    assert told == outcome.history
    assert (outcome.unfrozen, outcome.computed) == ([], 0)
    assert all(
        np.array_equal(a, b) for name, weights in before.items() for a, b in zip(weights, model.get_layer(name).get_weights(), strict=True)
    )
    head, val = detector_network.clip_head(model), clip_training.clip_table(job.frames["val"])
    assert head is not None
    sequences = [clip_training.sequence(job.features.of(media_id), 2) for media_id in val["media_id"]]
    scores = np.asarray(head(np.stack([np.pad(clip, ((0, 2 - len(clip)), (0, 0))) for clip in sequences])))[:, 0]
    losses = -np.log(np.where(val["label"] == 1, scores, 1 - scores))
    assert losses.mean() == pytest.approx(outcome.best["val_loss"], rel=1e-3)


def test_killed_twice_it_ends_as_if_never_stopped(network: Network, make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    rates = {"reduce_lr": {"patience": 1, "factor": 0.3}, "early_stopping": 3}
    params = of_clips(tiny, head={"dropout": 0.3}, phase1={"epochs": 4, "learning_rate": 0.3}, **rates)
    whole_model, model = network(params), network(params)
    whole = clip_training.fit(whole_model, make_job(params, folder=tmp_path / "whole"))

    for epoch in (1, 3):
        with pytest.raises(PowerCutError):
            clip_training.fit(network(params), make_job(params, listeners=(cut_after(epoch),)))
    told: list[dict[str, Any]] = []
    resumed = clip_training.fit(model, make_job(params, listeners=(told.append,)))

    pd.testing.assert_frame_equal(comparable(resumed), comparable(whole), check_exact=True)
    assert same_weights(model, whole_model)
    assert [row["epoch"] for row in told] == [3, 4]  # the killed epoch is done again, those before it are not


def test_the_seed_alone_decides(network: Network, make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    params = of_clips(tiny, head={"kind": "simple_rnn"}, phase1={"epochs": 2})
    models = [network(params) for _ in range(3)]
    seeds = (params.seed, params.seed, 7)
    jobs = [make_job(params, seed=seed, folder=tmp_path / str(number)) for number, seed in enumerate(seeds)]
    one, two, other = [clip_training.fit(model, job) for model, job in zip(models, jobs, strict=True)]

    pd.testing.assert_frame_equal(comparable(one), comparable(two), check_exact=True)
    assert same_weights(models[0], models[1])
    assert not comparable(one)["val_loss"].equals(comparable(other)["val_loss"])


def test_long_clips_are_thinned_evenly_and_short_ones_padded(
    network: Network, make_job: MakeJob, tiny: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = of_clips(tiny, head={"kind": "simple_rnn"}, phase1={"epochs": 1})
    job = make_job(params)
    shown = Shown().watch(monkeypatch)
    clip_training.fit(network(params), job)

    clips, seen = clip_training.clip_table(job.frames["train"]), set()
    for row, values in shown.inputs[0].items():
        views = [job.features.of(clips["media_id"][row], view) for view in (0, 1)]
        thinned = [features[[0, -1] if len(features) > 1 else [0]] for features in views]
        padded = [np.concatenate([features, np.zeros((2 - len(features), features.shape[1]))]) for features in thinned]
        seen |= {(len(views[0]), view) for view in (0, 1) if np.array_equal(values, padded[view])}
        assert any(np.array_equal(values, features) for features in padded)
    assert {frames for frames, _ in seen} == {1, 2, 3}
    assert {view for _, view in seen} == {0, 1}


def test_a_longer_clip_keeps_its_ends_and_even_steps() -> None:
    features = np.arange(20, dtype=np.float32)[:, None]
    for length, expected in ((1, [0]), (2, [0, 19]), (5, [0, 5, 10, 14, 19]), (20, range(20)), (99, range(20))):
        assert clip_training.sequence(features, length)[:, 0].tolist() == pytest.approx(list(expected))


def test_padding_does_not_change_what_a_trained_head_says(network: Network, make_job: MakeJob, tiny: Params) -> None:
    params = of_clips(tiny, head={"kind": "bilstm_attention", "length": 6}, phase1={"epochs": 1})
    model, job = network(params), make_job(params)
    clip_training.fit(model, job)

    head = detector_network.clip_head(model)
    assert head is not None
    clips = [job.features.of(media_id) for media_id in clip_training.clip_table(job.frames["val"])["media_id"]]
    padded, twice = (np.stack([np.pad(clip, ((0, length - len(clip)), (0, 0))) for clip in clips]) for length in (6, 12))
    scores = np.asarray(head(padded))
    assert np.ptp(scores) > 0.01
    np.testing.assert_allclose(np.asarray(head(twice)), scores, atol=1e-5)
    for clip, score in zip(clips, scores, strict=True):
        if len(clip) > 1:  # Keras warns of a softmax over a single frame
            np.testing.assert_allclose(np.asarray(head(clip[None]))[0], score, atol=1e-5)


def test_the_head_standardizes_by_the_training_frames_as_they_are(network: Network, make_job: MakeJob, tiny: Params) -> None:
    params = of_clips(tiny, head={"kind": "simple_rnn"}, phase1={"epochs": 1})
    model, job = network(params), make_job(params)
    clip_training.fit(model, job)

    head = detector_network.clip_head(model)
    assert head is not None
    layer, frames = head.get_layer(heads.STANDARDIZED), job.features.of_frames(job.frames["train"])
    np.testing.assert_allclose(np.ravel(layer.mean), frames.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(np.ravel(layer.variance), frames.var(axis=0), rtol=1e-3, atol=1e-12)


def test_a_clip_weighs_as_its_item_and_the_mean_over_all_showings_is_one() -> None:
    frames = pd.DataFrame(
        {"media_id": list("aaabcc"), "label": [1, 1, 1, 0, 0, 0], "repeat": [1, 1, 1, 3, 1, 1], "weight": [1, 1, 1, 1, 2, 2]}
    )
    table = clip_training.clip_table(frames)
    assert table["media_id"].tolist() == ["a", "b", "c"]
    assert table["label"].tolist() == [1, 0, 0]
    assert np.average(table["weight"], weights=table["repeat"]) == pytest.approx(1)
    np.testing.assert_allclose(table["weight"] / table["weight"][1], [3, 1, 4])
