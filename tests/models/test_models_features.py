"""Activations come back from disk as they went in, however small; the features of an item are found by its name."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from realframe.errors import DatasetError
from realframe.models import frame_features
from realframe.models.frame_features import Features

SIGNS = st.sampled_from([-1.0, 0.0, 1.0])
VALUES = st.builds(lambda sign, digits, power: sign * digits * 10.0**power, SIGNS, st.floats(1, 10), st.integers(-25, 25))
ACTIVATIONS = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=4, max_side=4), elements=VALUES.map(lambda value: float(np.float32(value)))
)


def written(folder: Path, activations: np.ndarray) -> Path:
    path = folder / "records"
    frame_features.pack(activations).tofile(path)
    return path


@settings(deadline=None, max_examples=200)
@given(ACTIVATIONS)
def test_records_come_back_to_float16_of_their_frames_largest(activations: np.ndarray) -> None:
    flat = activations.reshape(len(activations), -1)
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), activations)
        whole = frame_features.read_all(path, flat.shape[1])
        single = np.stack([frame_features.read_one(path, position, flat.shape[1]) for position in range(len(flat))])

    largest = np.abs(flat).max(axis=1, keepdims=True)
    assert (whole.dtype, whole.shape) == (np.float32, flat.shape)
    assert (np.abs(whole - flat) <= 1.01 * np.maximum(np.abs(flat) / 2**11, largest / 2**25)).all()
    np.testing.assert_array_equal(single, whole)


@pytest.mark.parametrize("magnitude", [1e-12, 1e-30, 1.0, 1e30])
def test_features_too_small_or_large_for_float16_keep_their_shares(magnitude: float, tmp_path: Path) -> None:
    shares = np.random.default_rng(0).uniform(0.1, 1, (5, 8)).astype(np.float32)
    activations = np.float32(magnitude) * shares
    np.testing.assert_allclose(frame_features.read_all(written(tmp_path, activations), 8), activations, rtol=1e-3)


def test_frames_of_different_magnitude_do_not_share_a_scale(tmp_path: Path) -> None:
    activations = np.array([[1e6, 2e6], [1e-6, 2e-6], [0, 0]], np.float32)
    np.testing.assert_allclose(frame_features.read_all(written(tmp_path, activations), 2), activations, rtol=1e-3)


def test_a_record_holds_two_places_more_than_its_values() -> None:
    packed = frame_features.pack(np.ones((3, 2, 2, 5), np.float32))
    assert (packed.dtype, packed.shape) == (np.float16, (3, 22))


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Features, dict[str, np.ndarray]]:
    """Features of three items in two views, and what they were."""
    random = np.random.default_rng(0)
    values = {name: random.normal(size=(frames, 6)).astype(np.float32) for name, frames in (("b", 3), ("a", 1), ("c", 4))}
    features = Features(tmp_path / "features", "residual_cnn", {"name": "random", "sha256": ""}, 64, 6, 2)
    for view in (0, 1):
        for name, frames in values.items():
            cached = tmp_path / "cached" / str(view) / name
            cached.parent.mkdir(parents=True, exist_ok=True)
            frame_features.pack(frames + view).tofile(cached)
            features.take(name, view, cached)
    features.finish(values)
    return features, values


def test_an_item_is_found_by_its_name_and_view(kept: tuple[Features, dict[str, np.ndarray]]) -> None:
    features, values = kept
    for name, frames in values.items():
        np.testing.assert_allclose(features.of(name), frames, atol=3e-3)
        np.testing.assert_allclose(features.of(name, view=1), frames + 1, atol=3e-3)


def test_means_come_in_the_asked_order_and_of_the_frames_as_they_are(kept: tuple[Features, dict[str, np.ndarray]]) -> None:
    features, values = kept
    means = features.means(["c", "a", "b"])
    assert means.dtype == np.float32
    np.testing.assert_allclose(means, [values[name].mean(axis=0) for name in ("c", "a", "b")], atol=3e-3)


def test_frames_follow_the_rows_of_their_table(kept: tuple[Features, dict[str, np.ndarray]]) -> None:
    features, values = kept
    table = pd.DataFrame({"media_id": ["c"] * 4 + ["a"] + ["b"] * 3})
    np.testing.assert_allclose(features.of_frames(table), np.concatenate([values["c"], values["a"], values["b"]]), atol=3e-3)


def test_what_was_finished_is_opened_and_what_was_not_is_an_error(kept: tuple[Features, dict[str, np.ndarray]], tmp_path: Path) -> None:
    features, _ = kept
    assert Features.open(features.folder) == features
    with pytest.raises(DatasetError, match="extract_features"):
        Features.open(tmp_path / "elsewhere")
