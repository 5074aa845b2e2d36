"""The probe learns from the training items alone, each with its own weight however many frames it has."""

import numpy as np
import pandas as pd
import pytest

from realframe.models import detector_network, freezing, linear_probe
from realframe.settings import Settings
from tests.heads import head


def _items(count: int, frames_each: int = 1, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    random = np.random.default_rng(seed)
    label = np.arange(count) % 2
    features = (random.normal(size=(count, 6)) + label[:, None] * [2, 0, 0, 0, 0, 0]).astype(np.float32)
    names = [f"item{number}" for number in range(count)]
    frames = pd.DataFrame({"media_id": np.repeat(names, frames_each), "label": np.repeat(label, frames_each)})
    return np.repeat(features, frames_each, axis=0), frames.assign(cluster=frames["media_id"], weight=1.0 / frames_each, repeat=1)


def test_it_tells_apart_what_the_features_tell_apart() -> None:
    features, frames = _items(80)
    fitted = linear_probe.fit(features, frames, seed=1)
    unseen, truth = _items(80, seed=1)
    called = linear_probe.scores(fitted, unseen) >= 0.5
    assert (called == (truth["label"] == 1)).mean() > 0.75
    assert linear_probe.strength_of(fitted) in linear_probe.STRENGTHS


def test_frames_of_an_item_share_its_weight() -> None:
    features, frames = _items(8)
    plain = linear_probe.fit(features, frames, seed=1)
    copies = np.where(np.arange(8) == 3, 9, 1)  # one item comes as nine equal frames
    longer = frames.assign(weight=1 / copies).loc[frames.index.repeat(copies)].reset_index(drop=True)
    fitted = linear_probe.fit(np.repeat(features, copies, axis=0), longer, seed=1)
    np.testing.assert_allclose(linear_probe.scores(fitted, features), linear_probe.scores(plain, features), atol=2e-3)


def test_class_weights_and_repeats_count() -> None:
    features, frames = _items(8)
    heavier = frames.assign(weight=np.where(frames["label"] == 1, 5.0, 1.0))
    shown_more = frames.assign(repeat=np.where(frames["label"] == 1, 5, 1))
    plain, weighted, repeated = (
        linear_probe.scores(linear_probe.fit(features, table, 1), features).mean() for table in (frames, heavier, shown_more)
    )
    assert weighted > plain + 0.1
    assert repeated == pytest.approx(weighted)


def test_at_most_sixteen_frames_of_an_item_evenly() -> None:
    frames = pd.DataFrame({"media_id": ["long"] * 100 + ["photo"]})
    rows = linear_probe.fit_rows(frames)
    assert len(rows) == 17
    assert rows[0] == 0
    assert set(rows[-2:]) == {99, 100}
    assert np.diff(rows[:16]).max() <= 7


def test_few_clusters_take_the_fixed_penalty() -> None:
    features, frames = _items(8)
    assert linear_probe.strength_of(linear_probe.fit(features, frames, seed=1)) == 0.01


@pytest.mark.parametrize("normalize", [True, False])
def test_a_head_can_begin_where_the_probe_stands(normalize: bool) -> None:
    chosen = head(normalize=normalize)
    model, _ = detector_network.open_backbone("residual_cnn", "random", 64, chosen, 0, Settings())
    random = np.random.default_rng(0)
    pixels = random.uniform(0, 255, (40, 64, 64, 3)).astype(np.float32)
    pixels[::2] = pixels[::2, :, :, :1]  # grey noise against coloured noise
    bottom, _ = freezing.split(model, freezing.pooling(model))
    features = bottom.predict(pixels, verbose=0)
    names = [f"item{number}" for number in range(40)]
    frames = pd.DataFrame({"media_id": names, "cluster": names, "label": np.arange(40) % 2, "weight": 1.0, "repeat": 1})
    fitted = linear_probe.fit(features, frames, seed=0)
    detector_network.standardize(model, features)
    detector_network.begin_at(model, *linear_probe.linear(fitted))
    scores = linear_probe.scores(fitted, features)
    assert np.ptp(scores) > 0.005
    np.testing.assert_allclose(model.predict(pixels, verbose=0)[:, 0], scores, atol=2e-5)
