"""The features of a dataset are the detector's own, and are computed once."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from clip_training import of_clips

from realframe.config import Params
from realframe.data.batches import FrameReader, frame_table
from realframe.models import detector_network, freezing
from realframe.models.augment import augment
from realframe.models.frame_features import Features
from realframe.models.weights import Weights
from realframe.settings import Settings
from realframe.training.feature_extraction import extract

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="session")
def frames(splits: pd.DataFrame, clean: Path) -> dict[str, pd.DataFrame]:
    return {split: frame_table(splits, clean, split) for split in SPLITS}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def extracted(frames: dict[str, pd.DataFrame], settings: Settings, tmp_path: Path) -> Callable[..., tuple[Features, int]]:
    def make(params: Params, folder: str = "features", seed: int | None = None) -> tuple[Features, int]:
        return extract(*opened(params, settings), frames, params.train, params.seed if seed is None else seed, tmp_path / folder, settings)

    return make


def opened(params: Params, settings: Settings) -> tuple[keras.Model, Weights]:
    return detector_network.open_backbone("residual_cnn", "random", params.clean.size, params.train.head, params.seed, settings)


Extracted, Tables = Callable[..., tuple[Features, int]], dict[str, pd.DataFrame]


def pooled(model: keras.Model, table: pd.DataFrame, params: Params, view: int = 0) -> np.ndarray:
    views = np.full(len(table), view)
    pixels = augment(FrameReader(table, 1).read(np.arange(len(table))), table, views, params.train.augment, params.seed)
    return np.asarray(freezing.split(model, freezing.pooling(model))[0].predict_on_batch(pixels))


def views_of(features: Features, table: pd.DataFrame) -> set[str]:
    """The views that every item of a table has, and no other that any has."""
    there = [{folder.name for folder in features.folder.glob("view*") if (folder / f"{name}.f16").exists()} for name in table["media_id"]]
    assert all(views == there[0] for views in there)
    return there[0]


@pytest.mark.parametrize("magnitude", [1.0, 1e-12])
def test_they_are_the_detectors_pooled_output(magnitude: float, frames: Tables, tiny: Params, settings: Settings, tmp_path: Path) -> None:
    model, weights = opened(tiny, settings)
    last = model.get_layer("block4_bn")
    last.set_weights([magnitude * array if number < 2 else array for number, array in enumerate(last.get_weights())])  # scale and offset
    features, _ = extract(model, weights, frames, tiny.train, tiny.seed, tmp_path / "features", settings)

    for table in frames.values():
        expected = pooled(model, table, tiny)
        assert 0 < expected.max() < 10 * magnitude
        np.testing.assert_allclose(features.of_frames(table), expected, rtol=1e-3, atol=1e-6 * expected.max())
    table = frames["test"]
    means = pd.DataFrame(pooled(model, table, tiny)).groupby(table["media_id"].to_numpy()).mean()
    np.testing.assert_allclose(features.means(means.index), means, rtol=2e-3, atol=1e-6 * float(means.max().max()))


def test_a_second_extraction_computes_nothing(extracted: Extracted, tiny: Params, frames: Tables) -> None:
    first, computed = extracted(tiny)
    assert computed == sum(map(len, frames.values()))
    before = first.of_frames(frames["val"])

    again, computed = extracted(tiny)

    assert computed == 0
    np.testing.assert_array_equal(again.of_frames(frames["val"]), before)
    assert Features.open(again.folder) == again


def test_another_head_on_the_same_backbone_computes_nothing(extracted: Extracted, tiny: Params) -> None:
    one, _ = extracted(tiny)
    lstm, computed = extracted(of_clips(tiny, activations={"views": 1}), "lstm")
    assert computed == 0
    _, computed = extracted(of_clips(tiny, head={"kind": "bilstm_attention", "units": 5}, activations={"views": 1}), "bilstm")
    assert computed == 0
    assert (one.width, one.size, one.backbone, one.weights) == (lstm.width, lstm.size, lstm.backbone, lstm.weights)


def test_views_are_those_of_training_clips_only(extracted: Extracted, tiny: Params, frames: Tables, settings: Settings) -> None:
    params = of_clips(tiny, activations={"views": 2})
    features, computed = extracted(params)

    assert features.views == 2
    assert computed == 2 * len(frames["train"]) + len(frames["val"]) + len(frames["test"])
    assert {split: views_of(features, frames[split]) for split in SPLITS} == {
        "train": {"view0", "view1"},
        "val": {"view0"},
        "test": {"view0"},
    }
    model, train = opened(params, settings)[0], frames["train"]
    for view in (0, 1):
        kept = np.concatenate([features.of(media_id, view) for media_id in train["media_id"].unique()])
        expected = pooled(model, train, params, view)
        np.testing.assert_allclose(kept, expected, rtol=1e-3, atol=1e-6 * expected.max())
    assert not np.allclose(features.of(train["media_id"][0], 0), features.of(train["media_id"][0], 1), rtol=1e-2)


def test_a_head_of_frames_gets_one_view(extracted: Extracted, tiny: Params, frames: Tables) -> None:
    features, _ = extracted(tiny)
    assert tiny.train.activations.views == 2
    assert features.views == 1
    assert [views_of(features, table) for table in frames.values()] == [{"view0"}] * 3


def test_another_seed_of_views_computes_the_changed_views_alone(extracted: Extracted, tiny: Params, frames: Tables) -> None:
    params = of_clips(tiny, activations={"views": 2})
    extracted(params)
    _, computed = extracted(params, seed=params.seed + 1)
    assert computed == len(frames["train"])


def test_what_lay_in_the_folder_is_gone(extracted: Extracted, tiny: Params, tmp_path: Path) -> None:
    stale = tmp_path / "features" / "view0" / "of-another-dataset.f16"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    extracted(tiny)
    assert not stale.exists()
