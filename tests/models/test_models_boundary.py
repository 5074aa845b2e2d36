"""Where the frozen part ends, and that what stands above it is the same network."""

import keras
import numpy as np
import pytest
from keras import layers

from realframe.models import detector_network, freezing
from realframe.models.backbones import FIXED_LAYER
from realframe.settings import Settings
from tests.heads import head

BATCH_NORMALIZATION = keras.layers.BatchNormalization


def branched() -> keras.Model:
    """A chain with a skip connection, two parallel branches and a second skip, ended like a detector."""
    frames = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(frames)
    y = layers.Conv2D(4, 3, padding="same", name="a1")(x)
    y = layers.ReLU(name="a2")(y)
    x = layers.Add(name="a_add")([x, y])
    left = layers.Conv2D(4, 1, name="left")(x)
    right = layers.Conv2D(4, 3, padding="same", name="right1")(x)
    right = layers.ReLU(name="right2")(right)
    x = layers.Concatenate(name="join")([left, right])
    y = layers.Conv2D(8, 1, name="b1")(x)
    x = layers.Add(name="b_add")([x, y])
    x = layers.GlobalAveragePooling2D(name=detector_network.POOLED)(x)
    return keras.Model(frames, layers.Dense(1, name=detector_network.SCORE)(x))


def cuts(model: keras.Model, layer: keras.layers.Layer) -> bool:
    """Whether everything above a layer depends on it alone; Keras refuses to build a model on it otherwise."""
    try:
        keras.Model(layer.output, model.output)
    except ValueError:
        return False
    return True


def weigh_features(model: keras.Model, frames: np.ndarray) -> None:
    """Give the head weights by which the scores of these frames differ."""
    detector_network.standardize(model, freezing.split(model, freezing.pooling(model))[0].predict(frames, verbose=0))
    score = model.get_layer(detector_network.SCORE)
    score.set_weights([np.random.default_rng(0).normal(0, 0.03, score.kernel.shape), np.zeros(1)])


def test_the_boundary_is_the_latest_layer_that_cuts_the_network() -> None:
    model = branched()

    for place, layer in enumerate(model.layers[1:], start=1):
        latest = [below for below in model.layers[:place] if cuts(model, below)][-1]
        assert freezing.find_boundary(model, layer.name).name == latest.name, layer.name


@pytest.mark.parametrize(("first", "expected"), [("a1", "stem"), ("a_add", "stem"), ("right2", "a_add"), ("b1", "join"), ("b_add", "join")])
def test_the_boundary_goes_below_branches_and_skips(first: str, expected: str) -> None:
    assert freezing.find_boundary(branched(), first).name == expected


def test_exactly_the_last_layers_learn_and_batch_normalization_does_not(efficientnet: keras.Model) -> None:
    names = freezing.unfreeze_last(efficientnet, 20, align_to_block=False)

    backbone = detector_network.backbone_layers(efficientnet)
    learning = {layer.name for layer in backbone if layer.trainable}
    assert learning == {layer.name for layer in backbone[-20:] if not isinstance(layer, BATCH_NORMALIZATION)} == set(names)
    assert any(isinstance(layer, BATCH_NORMALIZATION) for layer in backbone[-20:])
    assert names[0] == "block6d_project_conv"


def test_aligned_it_begins_with_the_block(efficientnet: keras.Model) -> None:
    names = freezing.unfreeze_last(efficientnet, 20, align_to_block=True)

    assert names[0] == "block6d_expand_conv"
    assert freezing.find_boundary(efficientnet, names[0]).name == "block6c_add"


def test_bottom_and_tail_together_are_the_network(efficientnet: keras.Model, pixels: np.ndarray) -> None:
    weigh_features(efficientnet, pixels)
    names = freezing.unfreeze_last(efficientnet, 20, align_to_block=False)

    bottom, tail = freezing.split(efficientnet, freezing.find_boundary(efficientnet, names[0]))

    expected = efficientnet.predict(pixels, verbose=0)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(tail.predict(bottom.predict(pixels, verbose=0), verbose=0), expected, atol=1e-4)


def test_training_the_tail_moves_the_unfrozen_layers_of_the_network_and_nothing_else(efficientnet: keras.Model, pixels: np.ndarray) -> None:
    names = freezing.unfreeze_last(efficientnet, 20, align_to_block=False)
    bottom, tail = freezing.split(efficientnet, freezing.find_boundary(efficientnet, names[0]))
    weigh_features(efficientnet, pixels)
    before = {layer.name: layer.get_weights() for layer in efficientnet.layers}

    tail.compile(keras.optimizers.SGD(1.0), "binary_crossentropy")
    tail.train_on_batch(bottom.predict(pixels, verbose=0), np.array([[0.0], [1.0], [0.0], [1.0]]))

    after = {layer.name: layer.get_weights() for layer in efficientnet.layers}
    moved = {name for name in before if not all(np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True))}
    with_weights = {layer.name for layer in efficientnet.layers if layer.name in {*names, detector_network.SCORE} and layer.weights}
    assert moved == with_weights


def test_the_fixed_filters_never_learn() -> None:
    model = detector_network.open_backbone("residual_cnn", "random", 64, head(dropout=0, normalize=False), 0, Settings())[0]

    names = freezing.unfreeze_last(model, 100, align_to_block=False)

    assert FIXED_LAYER not in names
    assert not model.get_layer(FIXED_LAYER).trainable
