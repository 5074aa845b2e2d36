"""Grad-CAM: the heat is where the score depends on the frame, for scores per frame and for one score per clip."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from realframe.models import gradcam
from realframe.models.detector_network import POOLED

KERNEL = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]) / 255  # the feature maps are red and green in [0, 1]


def maps(frames: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.AveragePooling2D(4, name="places")(frames)
    return layers.Conv2D(2, 1, activation="relu", use_bias=False, name="colors")(x)


def set_weights(model: keras.Model, red: float, green: float, bias: float = 0) -> keras.Model:
    model.get_layer("colors").set_weights([KERNEL.reshape(1, 1, 3, 2)])
    model.get_layer("score").set_weights([np.array([[red], [green]]), np.array([bias])])
    return model


def per_frame() -> keras.Model:
    """Frames (N, 32, 32, 3) -> (N, 1)."""
    frames = keras.Input((32, 32, 3))
    x = layers.GlobalAveragePooling2D(name=POOLED)(maps(frames))
    return keras.Model(frames, layers.Dense(1, activation="sigmoid", name="score")(x))


def per_clip() -> keras.Model:
    """Frames (N, 32, 32, 3) -> (1, 1)."""
    frames = keras.Input((32, 32, 3))
    x = layers.GlobalAveragePooling2D(name=POOLED)(maps(frames))
    x = layers.GlobalAveragePooling1D()(keras.ops.expand_dims(x, 0))
    return keras.Model(frames, layers.Dense(1, activation="sigmoid", name="score")(x))


both = pytest.mark.parametrize("build", [per_frame, per_clip])


def make_clip(count: int = 3) -> np.ndarray:
    """Make green frames, of which the second has a red corner."""
    frames = np.zeros((count, 32, 32, 3), np.float32)
    frames[..., 1] = 100
    frames[1, :8, 24:] = (200, 0, 0)
    return frames


@both
def test_the_heat_is_where_the_score_depends_on_the_frame(build: Callable[[], keras.Model]) -> None:
    model = set_weights(build(), red=3, green=0)
    assert model.predict(make_clip(), verbose=0).shape == ((3, 1) if build is per_frame else (1, 1))

    heat = gradcam.compute_heatmaps(model, make_clip())

    assert (heat.shape, heat.dtype) == ((3, 8, 8), np.float32)
    expected = np.zeros((3, 8, 8))
    expected[1, :2, 6:] = 1
    np.testing.assert_allclose(heat, expected, atol=1e-6)


@both
def test_evidence_against_fake_has_no_heat(build: Callable[[], keras.Model]) -> None:
    heat = gradcam.compute_heatmaps(set_weights(build(), red=-3, green=1), make_clip())

    assert not heat[1, :2, 6:].any()
    assert (heat[0] == 1).all()


@both
def test_a_long_clip_is_normalized_as_a_whole(build: Callable[[], keras.Model]) -> None:
    frames = np.random.default_rng(0).uniform(0, 255, (70, 32, 32, 3)).astype(np.float32)
    places = frames.reshape(70, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    expected = np.maximum(places @ KERNEL @ np.array([2, -1.5]), 0)  # after a spatial mean the weights are those of the head

    heat = gradcam.compute_heatmaps(set_weights(build(), red=2, green=-1.5), frames)

    np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-4)
    assert heat.max() == 1


@both
def test_without_a_gradient_there_is_no_heat(build: Callable[[], keras.Model]) -> None:
    heat = gradcam.compute_heatmaps(set_weights(build(), red=0, green=0), make_clip())

    assert heat.shape == (3, 8, 8)
    assert not heat.any()


@both
@pytest.mark.parametrize("bias", [40, -200])
def test_a_score_that_rounds_to_0_or_1_keeps_its_heat(build: Callable[[], keras.Model], bias: float) -> None:
    frames = make_clip()
    model = build()

    uncertain = gradcam.compute_heatmaps(set_weights(model, red=3, green=1), frames)
    certain = gradcam.compute_heatmaps(set_weights(model, red=3, green=1, bias=bias), frames)

    assert set(model.predict(frames, verbose=0).ravel()) <= {0, 1}
    np.testing.assert_allclose(certain, uncertain, atol=1e-6)


def test_the_layer_is_the_last_one_with_spatial_dimensions(efficientnet: keras.Model, pixels: np.ndarray) -> None:
    score = efficientnet.get_layer("score")
    before = score.get_weights()
    score.set_weights([np.ones(score.kernel.shape), np.zeros(1)])

    heat = gradcam.compute_heatmaps(efficientnet, pixels.astype(np.uint8))

    score.set_weights(before)
    assert gradcam.find_gradcam_layer(efficientnet).name == "top_activation"
    assert (heat.shape, heat.max()) == ((4, 2, 2), 1)


def test_the_overlay_is_red_at_1_and_blue_at_0() -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[0, 3] = 1
    frame = np.full((64, 64, 3), 100, np.uint8)

    picture = gradcam.overlay_heatmap(frame, heat)

    assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)
    np.testing.assert_array_equal(picture[0, 63], [round(0.6 * 100 + 0.4 * 127.5), 60, 60])  # jet ends at half red and starts at half blue
    np.testing.assert_array_equal(picture[63, 0], [60, 60, round(0.6 * 100 + 0.4 * 127.5)])
    np.testing.assert_array_equal(frame, 100)
