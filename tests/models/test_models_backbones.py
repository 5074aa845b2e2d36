"""Every backbone that a recipe may name becomes a flat detector that takes pixels and saves as a harmless file."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import applications

from bonafide.errors import ParamsError
from bonafide.models import backbones, boundary, detector
from bonafide.models.residual import FIXED_LAYER
from bonafide.params import Head
from bonafide.settings import Settings

HEAD = Head(dropout=0.2, normalize=True)


def built(name: str, size: int = 96, head: Head = HEAD) -> keras.Model:
    return detector.open_backbone(name, "random", size, head, 0, Settings())[0]


@pytest.mark.parametrize("name", sorted(backbones.REGISTRY))
def test_every_backbone_becomes_a_flat_detector(name: str) -> None:
    model = built(name)

    assert model.input.shape == (None, 96, 96, 3)
    assert model.output.shape == (None, 1)
    assert not [layer for layer in model.layers if isinstance(layer, keras.Model)]
    assert not [layer for layer in model.layers if type(layer).__name__ in ("Lambda", "TFOpLambda")]


@pytest.mark.parametrize("name", ["residual_cnn", "efficientnetb0"])
def test_a_saved_detector_loads_in_safe_mode_and_says_the_same(name: str, tmp_path: Path) -> None:
    model = built(name)
    frames = np.random.default_rng(0).uniform(0, 255, (3, 96, 96, 3)).astype(np.float32)
    bottom, _ = boundary.split(model, boundary.pooling(model))
    detector.standardize(model, bottom.predict(frames, verbose=0))
    score = model.get_layer(detector.SCORE)
    score.set_weights([np.random.default_rng(0).normal(0, 0.03, score.kernel.shape), np.array([0.1])])

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)

    scores = model.predict(frames, verbose=0)
    assert np.ptp(scores) > 0.01
    np.testing.assert_allclose(loaded.predict(frames, verbose=0), scores, atol=1e-6)


def test_mobilenet_sees_pixels_between_minus_one_and_one() -> None:
    model = built("mobilenetv2")
    plain = applications.MobileNetV2(include_top=False, weights=None, input_shape=(96, 96, 3), pooling="avg")
    bottom, _ = boundary.split(model, boundary.pooling(model))
    plain.set_weights(bottom.get_weights())
    frames = np.random.default_rng(0).uniform(0, 255, (2, 96, 96, 3)).astype(np.float32)

    expected = plain.predict(applications.mobilenet_v2.preprocess_input(frames.copy()), verbose=0)

    np.testing.assert_allclose(bottom.predict(frames, verbose=0), expected, atol=1e-4)


def test_the_same_seed_gives_the_same_network_and_another_one_another() -> None:
    one, same = built("residual_cnn"), built("residual_cnn")
    other = detector.open_backbone("residual_cnn", "random", 96, HEAD, 1, Settings())[0]

    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), same.get_weights(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_the_head_standardizes_by_the_features_given() -> None:
    model = built("residual_cnn")
    features = np.random.default_rng(0).normal(5, 3, (500, 128))

    detector.standardize(model, features)

    layer = model.get_layer(detector.STANDARDIZED)
    standardized = np.asarray(layer(features.astype(np.float32)))
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(standardized.std(axis=0), 1, atol=1e-3)


def test_a_head_without_normalization_has_no_such_layer() -> None:
    model = built("residual_cnn", head=Head(dropout=0, normalize=False))

    detector.standardize(model, np.ones((2, 128)))

    assert detector.STANDARDIZED not in [layer.name for layer in model.layers]


def test_the_residual_network_is_blind_to_flat_colour_and_sees_noise() -> None:
    model = built("residual_cnn")
    residual = keras.Model(model.input, model.get_layer(FIXED_LAYER).output)
    flat = np.full((1, 96, 96, 3), 200, np.float32)
    noisy = flat + np.random.default_rng(0).normal(0, 3, flat.shape)

    inner = np.s_[:, 3:-3, 3:-3]
    assert np.abs(residual.predict(flat, verbose=0)[inner]).max() < 1e-3
    assert np.abs(residual.predict(noisy, verbose=0)[inner]).mean() > 0.1


def test_an_unknown_backbone_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParamsError, match=r"resnet9000.*Choose one of: efficientnetb0"):
        backbones.get("resnet9000")
