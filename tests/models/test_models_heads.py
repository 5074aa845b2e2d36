"""A head scores a clip, the same however far it is padded, and after a way through a file."""

from pathlib import Path

import keras
import numpy as np
import pytest

from realframe.models import heads
from tests.heads import head

KINDS = ("lstm", "simple_rnn", "gru", "bilstm_attention", "transformer")
WIDTH = 24


def clip(frames: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (1, frames, WIDTH)).astype(np.float32)


def built(kind: str, normalize: bool = True) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = heads.build(WIDTH, head(kind=kind, units=16, dense=8, normalize=normalize), 0, "head")
    random = np.random.default_rng(2)
    heads.standardize(model, random.normal(1, 1, WIDTH), random.uniform(0.5, 2, WIDTH))
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_padded_to_twice_its_length_scores_the_same(kind: str) -> None:
    model, frames = built(kind), clip()
    padded = np.concatenate([frames, np.zeros_like(frames)], axis=1)
    assert float(model(padded)[0, 0]) == pytest.approx(float(model(frames)[0, 0]), abs=1e-5)
    other = np.concatenate([frames, clip(seed=1)], axis=1)
    assert abs(float(model(other)[0, 0]) - float(model(frames)[0, 0])) > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_comes_through_a_file_in_safe_mode(kind: str, tmp_path: Path) -> None:
    model = built(kind)
    model.save(tmp_path / "head.keras")
    loaded = keras.models.load_model(tmp_path / "head.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(np.asarray(loaded(clip())), np.asarray(model(clip())), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_frames_counts(kind: str) -> None:
    model = built(kind)
    assert abs(float(model(clip())[0, 0]) - float(model(clip()[:, ::-1])[0, 0])) > 1e-5


def test_attention_is_a_share_of_each_frame_and_none_of_padding() -> None:
    model = built("bilstm_attention")
    padded = np.concatenate([clip()[0], np.zeros((4, WIDTH), np.float32)])
    attention = heads.attention_model(model)
    assert attention is not None
    shares = np.asarray(attention(padded[None]))[0]
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert (shares[9:] < 1e-6).all() and (shares[:9] > 1e-3).all()
    assert heads.attention_model(built("lstm")) is None


def test_features_are_standardized_inside() -> None:
    model = built("gru")
    layer = model.get_layer(heads.STANDARDIZED)
    frames = clip()
    expected = (frames - np.ravel(layer.mean)) / np.sqrt(np.ravel(layer.variance))
    np.testing.assert_allclose(np.asarray(layer(frames)), expected, atol=1e-5)
    assert all(layer.name != heads.STANDARDIZED for layer in built("gru", normalize=False).layers)
