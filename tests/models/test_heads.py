"""Heads: a clip has the same score with any padding, and after saving and loading."""

from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest

from realframe.config import HeadKind
from realframe.models import heads
from tests.head_params import make_head_params

KINDS = [kind for kind in get_args(HeadKind) if kind != "gap"]
WIDTH = 24


def make_clip(frames: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (1, frames, WIDTH)).astype(np.float32)


def build(kind: str, standardize: bool = True) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = heads.build_head(WIDTH, make_head_params(kind=kind, units=16, dense=8, standardize=standardize), 0, "head")
    random = np.random.default_rng(2)
    heads.set_standardization(model, random.normal(1, 1, WIDTH), random.uniform(0.5, 2, WIDTH))
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_padded_to_twice_its_length_scores_the_same(kind: str) -> None:
    model, frames = build(kind), make_clip()
    padded = np.concatenate([frames, np.zeros_like(frames)], axis=1)
    assert float(model(padded)[0, 0]) == pytest.approx(float(model(frames)[0, 0]), abs=1e-5)
    other = np.concatenate([frames, make_clip(seed=1)], axis=1)
    assert abs(float(model(other)[0, 0]) - float(model(frames)[0, 0])) > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_head_loads_in_safe_mode(kind: str, tmp_path: Path) -> None:
    model = build(kind)
    model.save(tmp_path / "head.keras")
    loaded = keras.models.load_model(tmp_path / "head.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(np.asarray(loaded(make_clip())), np.asarray(model(make_clip())), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_depends_on_the_order_of_the_frames(kind: str) -> None:
    model = build(kind)
    assert abs(float(model(make_clip())[0, 0]) - float(model(make_clip()[:, ::-1])[0, 0])) > 1e-5


def test_attention_sums_to_one_and_is_zero_for_padding() -> None:
    model = build("bilstm_attention")
    padded = np.concatenate([make_clip()[0], np.zeros((4, WIDTH), np.float32)])
    attention = heads.get_attention_model(model)
    assert attention is not None
    shares = np.asarray(attention(padded[None]))[0]
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert (shares[9:] < 1e-6).all() and (shares[:9] > 1e-3).all()
    assert heads.get_attention_model(build("lstm")) is None


def test_features_are_standardized_inside_of_the_head() -> None:
    model = build("gru")
    layer = model.get_layer(heads.STANDARDIZED)
    frames = make_clip()
    expected = (frames - np.ravel(layer.mean)) / np.sqrt(np.ravel(layer.variance))
    np.testing.assert_allclose(np.asarray(layer(frames)), expected, atol=1e-5)
    assert all(layer.name != heads.STANDARDIZED for layer in build("gru", standardize=False).layers)
