"""The linear probe: each item has its own weight, independent of its number of frames."""

import numpy as np
import pandas as pd
import pytest

from realframe.models import detector_network, freezing, linear_probe
from realframe.settings import Settings
from tests.head_params import make_head_params


def make_items(count: int, frames_each: int = 1, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    random = np.random.default_rng(seed)
    label = np.arange(count) % 2
    features = (random.normal(size=(count, 6)) + label[:, None] * [2, 0, 0, 0, 0, 0]).astype(np.float32)
    names = [f"item{number}" for number in range(count)]
    frames = pd.DataFrame({"media_id": np.repeat(names, frames_each), "label": np.repeat(label, frames_each)})
    return np.repeat(features, frames_each, axis=0), frames.assign(
        cluster=frames["media_id"], source="", weight=1.0 / frames_each, repeat=1
    )


def test_it_separates_separable_features() -> None:
    features, frames = make_items(80)
    fitted = linear_probe.fit_probe(features, frames, seed=1)
    unseen, truth = make_items(80, seed=1)
    called = linear_probe.predict_scores(fitted, unseen) >= 0.5
    assert (called == (truth["label"] == 1)).mean() > 0.75
    assert linear_probe.get_c(fitted) in linear_probe.C_VALUES


def test_frames_of_an_item_share_its_weight() -> None:
    features, frames = make_items(8)
    plain = linear_probe.fit_probe(features, frames, seed=1)
    copies = np.where(np.arange(8) == 3, 9, 1)  # one item comes as nine equal frames
    longer = frames.assign(weight=1 / copies).loc[frames.index.repeat(copies)].reset_index(drop=True)
    fitted = linear_probe.fit_probe(np.repeat(features, copies, axis=0), longer, seed=1)
    np.testing.assert_allclose(linear_probe.predict_scores(fitted, features), linear_probe.predict_scores(plain, features), atol=2e-3)


def test_class_weights_and_repeats_count() -> None:
    features, frames = make_items(8)
    heavier = frames.assign(weight=np.where(frames["label"] == 1, 5.0, 1.0))
    shown_more = frames.assign(repeat=np.where(frames["label"] == 1, 5, 1))
    plain, weighted, repeated = (
        linear_probe.predict_scores(linear_probe.fit_probe(features, table, 1), features).mean() for table in (frames, heavier, shown_more)
    )
    assert weighted > plain + 0.1
    assert repeated == pytest.approx(weighted)


def test_at_most_sixteen_evenly_spaced_frames_of_an_item_are_used() -> None:
    frames = pd.DataFrame({"media_id": ["long"] * 100 + ["photo"]})
    rows = linear_probe.select_training_rows(frames)
    assert len(rows) == 17
    assert rows[0] == 0
    assert set(rows[-2:]) == {99, 100}
    assert np.diff(rows[:16]).max() <= 7


def test_c_is_selected_by_sources_where_each_class_has_three() -> None:
    _, frames = make_items(80)
    by_class = frames["label"].map({0: "real", 1: "fake"}) + (frames.index // 2 % 3).astype(str)
    assert linear_probe.select_group_column(frames) == "cluster"
    assert linear_probe.select_group_column(frames.assign(source=by_class.replace("fake0", "fake1"))) == "cluster"
    assert linear_probe.select_group_column(frames.assign(source=by_class)) == "source"


def test_few_clusters_use_the_default_c() -> None:
    features, frames = make_items(8)
    assert linear_probe.get_c(linear_probe.fit_probe(features, frames, seed=1)) == 0.01


@pytest.mark.parametrize("standardize", [True, False])
def test_a_head_can_be_initialized_by_the_probe(standardize: bool) -> None:
    chosen = make_head_params(standardize=standardize)
    model, _ = detector_network.create_detector("residual_cnn", "random", 64, chosen, 0, Settings())
    random = np.random.default_rng(0)
    pixels = random.uniform(0, 255, (40, 64, 64, 3)).astype(np.float32)
    pixels[::2] = pixels[::2, :, :, :1]  # gray noise against colored noise
    bottom, _ = freezing.split_network(model, freezing.get_pooling_layer(model))
    features = bottom.predict(pixels, verbose=0)
    names = [f"item{number}" for number in range(40)]
    frames = pd.DataFrame({"media_id": names, "cluster": names, "source": "", "label": np.arange(40) % 2, "weight": 1.0, "repeat": 1})
    fitted = linear_probe.fit_probe(features, frames, seed=0)
    detector_network.fit_standardization(model, features)
    detector_network.initialize_head(model, *linear_probe.get_coefficients(fitted))
    scores = linear_probe.predict_scores(fitted, features)
    assert np.ptp(scores) > 0.005
    np.testing.assert_allclose(model.predict(pixels, verbose=0)[:, 0], scores, atol=2e-5)
