"""Feature extraction: the features are the pooled outputs of the detector, and are computed once."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from realframe.config import Params
from realframe.data.batches import FrameReader, build_frame_table
from realframe.models import detector_network, freezing
from realframe.models.augment import augment_frames
from realframe.models.frame_features import FrameFeatures
from realframe.models.weights import BackboneWeights
from realframe.settings import Settings
from realframe.training.detector_training import extract_features
from tests.training.training_spy import make_clip_params

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="session")
def frames(splits: pd.DataFrame, clean: Path) -> dict[str, pd.DataFrame]:
    return {split: build_frame_table(splits, clean, split) for split in SPLITS}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def extracted(frames: dict[str, pd.DataFrame], settings: Settings, tmp_path: Path) -> Callable[..., tuple[FrameFeatures, int]]:
    def make(params: Params, folder: str = "features", seed: int | None = None) -> tuple[FrameFeatures, int]:
        return extract_features(
            *create(params, settings), frames, params.train, params.seed if seed is None else seed, tmp_path / folder, settings
        )

    return make


def create(params: Params, settings: Settings) -> tuple[keras.Model, BackboneWeights]:
    return detector_network.create_detector("residual_cnn", "random", params.clean.size, params.train.head, params.seed, settings)


Extracted, Tables = Callable[..., tuple[FrameFeatures, int]], dict[str, pd.DataFrame]


def compute_pooled(model: keras.Model, table: pd.DataFrame, params: Params, view: int = 0) -> np.ndarray:
    views = np.full(len(table), view)
    pixels = augment_frames(FrameReader(table, 1).read(np.arange(len(table))), table, views, params.train.augment, params.seed)
    return np.asarray(freezing.split_network(model, freezing.get_pooling_layer(model))[0].predict_on_batch(pixels))


def find_views(features: FrameFeatures, table: pd.DataFrame) -> set[str]:
    """Return the views that the items of a table have; all items must have the same."""
    views_per_item = [
        {folder.name for folder in features.folder.glob("view*") if (folder / f"{name}.f16").exists()} for name in table["media_id"]
    ]
    assert all(views == views_per_item[0] for views in views_per_item)
    return views_per_item[0]


@pytest.mark.parametrize("magnitude", [1.0, 1e-12])
def test_features_are_the_pooled_output_of_the_detector(
    magnitude: float, frames: Tables, tiny: Params, settings: Settings, tmp_path: Path
) -> None:
    model, weights = create(tiny, settings)
    last = model.get_layer("block4_bn")
    last.set_weights([magnitude * array if number < 2 else array for number, array in enumerate(last.get_weights())])  # scale and offset
    features, _ = extract_features(model, weights, frames, tiny.train, tiny.seed, tmp_path / "features", settings)

    for table in frames.values():
        expected = compute_pooled(model, table, tiny)
        assert 0 < expected.max() < 10 * magnitude
        np.testing.assert_allclose(features.load_frames(table), expected, rtol=1e-3, atol=1e-6 * expected.max())
    table = frames["test"]
    means = pd.DataFrame(compute_pooled(model, table, tiny)).groupby(table["media_id"].to_numpy()).mean()
    np.testing.assert_allclose(features.load_means(means.index), means, rtol=2e-3, atol=1e-6 * float(means.max().max()))


def test_a_second_extraction_computes_nothing(extracted: Extracted, tiny: Params, frames: Tables) -> None:
    first, computed = extracted(tiny)
    assert computed == sum(map(len, frames.values()))
    before = first.load_frames(frames["val"])

    second, computed = extracted(tiny)

    assert computed == 0
    np.testing.assert_array_equal(second.load_frames(frames["val"]), before)
    assert FrameFeatures.open(second.folder) == second


def test_another_head_on_the_same_backbone_computes_nothing(extracted: Extracted, tiny: Params) -> None:
    one, _ = extracted(tiny)
    lstm, computed = extracted(make_clip_params(tiny, activations={"views": 1}), "lstm")
    assert computed == 0
    _, computed = extracted(make_clip_params(tiny, head={"kind": "bilstm_attention", "units": 5}, activations={"views": 1}), "bilstm")
    assert computed == 0
    assert (one.width, one.size, one.backbone, one.weights) == (lstm.width, lstm.size, lstm.backbone, lstm.weights)


def test_only_training_clips_have_augmented_views(extracted: Extracted, tiny: Params, frames: Tables, settings: Settings) -> None:
    params = make_clip_params(tiny, activations={"views": 2})
    features, computed = extracted(params)

    assert features.views == 2
    assert computed == 2 * len(frames["train"]) + len(frames["val"]) + len(frames["test"])
    assert {split: find_views(features, frames[split]) for split in SPLITS} == {
        "train": {"view0", "view1"},
        "val": {"view0"},
        "test": {"view0"},
    }
    model, train = create(params, settings)[0], frames["train"]
    for view in (0, 1):
        stored = np.concatenate([features.load_item(media_id, view) for media_id in train["media_id"].unique()])
        expected = compute_pooled(model, train, params, view)
        np.testing.assert_allclose(stored, expected, rtol=1e-3, atol=1e-6 * expected.max())
    assert not np.allclose(features.load_item(train["media_id"][0], 0), features.load_item(train["media_id"][0], 1), rtol=1e-2)


def test_a_frame_head_needs_one_view(extracted: Extracted, tiny: Params, frames: Tables) -> None:
    features, _ = extracted(tiny)
    assert tiny.train.activations.views == 2
    assert features.views == 1
    assert [find_views(features, table) for table in frames.values()] == [{"view0"}] * 3


def test_another_seed_computes_only_the_augmented_views(extracted: Extracted, tiny: Params, frames: Tables) -> None:
    params = make_clip_params(tiny, activations={"views": 2})
    extracted(params)
    _, computed = extracted(params, seed=params.seed + 1)
    assert computed == len(frames["train"])


def test_old_files_of_the_folder_are_deleted(extracted: Extracted, tiny: Params, tmp_path: Path) -> None:
    stale = tmp_path / "features" / "view0" / "of-another-dataset.f16"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    extracted(tiny)
    assert not stale.exists()
