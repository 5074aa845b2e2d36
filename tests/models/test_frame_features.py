"""Frame features: records keep their values, however small, and the features of an item are found by its id."""

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
from realframe.models.frame_features import FrameFeatures

SIGNS = st.sampled_from([-1.0, 0.0, 1.0])
VALUES = st.builds(lambda sign, digits, power: sign * digits * 10.0**power, SIGNS, st.floats(1, 10), st.integers(-25, 25))
ACTIVATIONS = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=4, max_side=4), elements=VALUES.map(lambda value: float(np.float32(value)))
)


def write_records(folder: Path, activations: np.ndarray) -> Path:
    path = folder / "records"
    frame_features.pack_records(activations).tofile(path)
    return path


@settings(deadline=None, max_examples=200)
@given(ACTIVATIONS)
def test_records_are_exact_to_float16_of_the_largest_value_of_a_frame(activations: np.ndarray) -> None:
    flat = activations.reshape(len(activations), -1)
    with tempfile.TemporaryDirectory() as folder:
        path = write_records(Path(folder), activations)
        whole = frame_features.read_records(path, flat.shape[1])
        single = np.stack([frame_features.read_record(path, position, flat.shape[1]) for position in range(len(flat))])

    largest = np.abs(flat).max(axis=1, keepdims=True)
    assert (whole.dtype, whole.shape) == (np.float32, flat.shape)
    assert (np.abs(whole - flat) <= 1.01 * np.maximum(np.abs(flat) / 2**11, largest / 2**25)).all()
    np.testing.assert_array_equal(single, whole)


@pytest.mark.parametrize("magnitude", [1e-12, 1e-30, 1.0, 1e30])
def test_features_outside_of_the_range_of_float16_keep_their_ratios(magnitude: float, tmp_path: Path) -> None:
    shares = np.random.default_rng(0).uniform(0.1, 1, (5, 8)).astype(np.float32)
    activations = np.float32(magnitude) * shares
    np.testing.assert_allclose(frame_features.read_records(write_records(tmp_path, activations), 8), activations, rtol=1e-3)


def test_frames_of_different_magnitude_do_not_share_a_scale(tmp_path: Path) -> None:
    activations = np.array([[1e6, 2e6], [1e-6, 2e-6], [0, 0]], np.float32)
    np.testing.assert_allclose(frame_features.read_records(write_records(tmp_path, activations), 2), activations, rtol=1e-3)


def test_a_record_has_two_more_float16_than_values() -> None:
    packed = frame_features.pack_records(np.ones((3, 2, 2, 5), np.float32))
    assert (packed.dtype, packed.shape) == (np.float16, (3, 22))


@pytest.fixture
def stored(tmp_path: Path) -> tuple[FrameFeatures, dict[str, np.ndarray]]:
    """Features of three items in two views, and their values."""
    random = np.random.default_rng(0)
    values = {name: random.normal(size=(frames, 6)).astype(np.float32) for name, frames in (("b", 3), ("a", 1), ("c", 4))}
    features = FrameFeatures(tmp_path / "features", "residual_cnn", {"name": "random", "sha256": ""}, 64, 6, 2)
    for view in (0, 1):
        for name, frames in values.items():
            cached = tmp_path / "cached" / str(view) / name
            cached.parent.mkdir(parents=True, exist_ok=True)
            frame_features.pack_records(frames + view).tofile(cached)
            features.add_file(name, view, cached)
    features.write_summary(values)
    return features, values


def test_an_item_is_found_by_its_id_and_view(stored: tuple[FrameFeatures, dict[str, np.ndarray]]) -> None:
    features, values = stored
    for name, frames in values.items():
        np.testing.assert_allclose(features.load_item(name), frames, atol=3e-3)
        np.testing.assert_allclose(features.load_item(name, view=1), frames + 1, atol=3e-3)


def test_means_are_in_the_requested_order_and_of_view_0(stored: tuple[FrameFeatures, dict[str, np.ndarray]]) -> None:
    features, values = stored
    means = features.load_means(["c", "a", "b"])
    assert means.dtype == np.float32
    np.testing.assert_allclose(means, [values[name].mean(axis=0) for name in ("c", "a", "b")], atol=3e-3)


def test_frames_are_in_the_order_of_their_table(stored: tuple[FrameFeatures, dict[str, np.ndarray]]) -> None:
    features, values = stored
    table = pd.DataFrame({"media_id": ["c"] * 4 + ["a"] + ["b"] * 3})
    np.testing.assert_allclose(features.load_frames(table), np.concatenate([values["c"], values["a"], values["b"]]), atol=3e-3)


def test_complete_features_open_and_incomplete_ones_are_an_error(
    stored: tuple[FrameFeatures, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    features, _ = stored
    assert FrameFeatures.open(features.folder) == features
    with pytest.raises(DatasetError, match="extract_features"):
        FrameFeatures.open(tmp_path / "elsewhere")


VECTORS = arrays(np.float32, st.integers(1, 40), elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False))


@given(VECTORS)
def test_a_vector_comes_back_from_its_text(vector: np.ndarray) -> None:
    back = frame_features.decode_vector(frame_features.encode_vector(vector))
    assert back.dtype == np.float32
    assert back == pytest.approx(vector, abs=2.0**-10 * max(float(np.abs(vector).max()), 1e-37))
