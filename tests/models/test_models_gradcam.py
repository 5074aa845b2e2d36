"""Grad-CAM shows the place that the score depends on, for scores per frame and for one score of a clip."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from realframe.models import gradcam
from realframe.models.detector_network import POOLED

KERNEL = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]) / 255  # the maps are the shares of red and of green


def maps(frames: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.AveragePooling2D(4, name="places")(frames)
    return layers.Conv2D(2, 1, activation="relu", use_bias=False, name="colours")(x)


def weighed(model: keras.Model, red: float, green: float, bias: float = 0) -> keras.Model:
    model.get_layer("colours").set_weights([KERNEL.reshape(1, 1, 3, 2)])
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


def clip(count: int = 3) -> np.ndarray:
    """Green frames, of which the second has a red corner."""
    frames = np.zeros((count, 32, 32, 3), np.float32)
    frames[..., 1] = 100
    frames[1, :8, 24:] = (200, 0, 0)
    return frames


@both
def test_the_heat_is_in_the_corner_that_the_score_depends_on(build: Callable[[], keras.Model]) -> None:
    model = weighed(build(), red=3, green=0)
    assert model.predict(clip(), verbose=0).shape == ((3, 1) if build is per_frame else (1, 1))

    heat = gradcam.heatmaps(model, clip())

    assert (heat.shape, heat.dtype) == ((3, 8, 8), np.float32)
    expected = np.zeros((3, 8, 8))
    expected[1, :2, 6:] = 1
    np.testing.assert_allclose(heat, expected, atol=1e-6)


@both
def test_what_speaks_against_fake_is_cold(build: Callable[[], keras.Model]) -> None:
    heat = gradcam.heatmaps(weighed(build(), red=-3, green=1), clip())

    assert not heat[1, :2, 6:].any()
    assert (heat[0] == 1).all()


@both
def test_a_long_clip_is_one_clip(build: Callable[[], keras.Model]) -> None:
    frames = np.random.default_rng(0).uniform(0, 255, (70, 32, 32, 3)).astype(np.float32)
    places = frames.reshape(70, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    expected = np.maximum(places @ KERNEL @ np.array([2, -1.5]), 0)  # behind a mean over space the weights are the head's

    heat = gradcam.heatmaps(weighed(build(), red=2, green=-1.5), frames)

    np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-4)
    assert heat.max() == 1


@both
def test_without_a_gradient_there_is_no_heat(build: Callable[[], keras.Model]) -> None:
    heat = gradcam.heatmaps(weighed(build(), red=0, green=0), clip())

    assert heat.shape == (3, 8, 8)
    assert not heat.any()


@both
@pytest.mark.parametrize("bias", [40, -200])
def test_a_score_that_rounds_to_certainty_has_the_heat_of_an_uncertain_one(build: Callable[[], keras.Model], bias: float) -> None:
    frames = clip()
    model = build()

    uncertain = gradcam.heatmaps(weighed(model, red=3, green=1), frames)
    certain = gradcam.heatmaps(weighed(model, red=3, green=1, bias=bias), frames)

    assert set(model.predict(frames, verbose=0).ravel()) <= {0, 1}
    np.testing.assert_allclose(certain, uncertain, atol=1e-6)


def test_the_layer_is_the_last_one_in_space(efficientnet: keras.Model, pixels: np.ndarray) -> None:
    score = efficientnet.get_layer("score")
    before = score.get_weights()
    score.set_weights([np.ones(score.kernel.shape), np.zeros(1)])

    heat = gradcam.heatmaps(efficientnet, pixels.astype(np.uint8))

    score.set_weights(before)
    assert gradcam.gradcam_layer(efficientnet).name == "top_activation"
    assert (heat.shape, heat.max()) == ((4, 2, 2), 1)


def test_the_overlay_is_red_where_it_is_hot_and_blue_where_it_is_cold() -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[0, 3] = 1
    frame = np.full((64, 64, 3), 100, np.uint8)

    picture = gradcam.overlay(frame, heat)

    assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)
    np.testing.assert_array_equal(picture[0, 63], [round(0.6 * 100 + 0.4 * 127.5), 60, 60])  # jet ends at half red, and begins at half blue
    np.testing.assert_array_equal(picture[63, 0], [60, 60, round(0.6 * 100 + 0.4 * 127.5)])
    np.testing.assert_array_equal(frame, 100)
