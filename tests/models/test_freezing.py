"""Freezing: which layers are unfrozen, where the network is cut, and that bottom and tail together are the network."""

import keras
import numpy as np
import pytest
from keras import layers

from realframe.models import detector_network, freezing
from realframe.models.backbones import FIXED_LAYER
from realframe.settings import Settings
from tests.head_params import make_head_params

BATCH_NORMALIZATION = keras.layers.BatchNormalization


def build_branched_model() -> keras.Model:
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
    x = layers.GlobalAveragePooling2D(name=freezing.POOLED)(x)
    return keras.Model(frames, layers.Dense(1, name=detector_network.SCORE)(x))


def is_cut_layer(model: keras.Model, layer: keras.layers.Layer) -> bool:
    """Whether everything above a layer depends on it alone; Keras refuses to build a model on it otherwise."""
    try:
        keras.Model(layer.output, model.output)
    except ValueError:
        return False
    return True


def set_head_weights(model: keras.Model, frames: np.ndarray) -> None:
    """Give the head weights by which the scores of these frames differ."""
    detector_network.fit_standardization(
        model, freezing.split_network(model, freezing.get_pooling_layer(model))[0].predict(frames, verbose=0)
    )
    score = model.get_layer(detector_network.SCORE)
    score.set_weights([np.random.default_rng(0).normal(0, 0.03, score.kernel.shape), np.zeros(1)])


def test_the_cut_layer_is_the_last_one_possible() -> None:
    model = build_branched_model()

    for position, layer in enumerate(model.layers[1:], start=1):
        latest = [below for below in model.layers[:position] if is_cut_layer(model, below)][-1]
        assert freezing.find_cut_layer(model, layer.name).name == latest.name, layer.name


@pytest.mark.parametrize(("first", "expected"), [("a1", "stem"), ("a_add", "stem"), ("right2", "a_add"), ("b1", "join"), ("b_add", "join")])
def test_the_cut_layer_is_below_branches_and_skip_connections(first: str, expected: str) -> None:
    assert freezing.find_cut_layer(build_branched_model(), first).name == expected


def test_exactly_the_last_layers_are_trainable_but_not_batch_normalization(efficientnet: keras.Model) -> None:
    names = freezing.unfreeze_last(efficientnet, 20, align_to_block=False)

    backbone = freezing.get_backbone_layers(efficientnet)
    trainable = {layer.name for layer in backbone if layer.trainable}
    assert trainable == {layer.name for layer in backbone[-20:] if not isinstance(layer, BATCH_NORMALIZATION)} == set(names)
    assert any(isinstance(layer, BATCH_NORMALIZATION) for layer in backbone[-20:])
    assert names[0] == "block6d_project_conv"


def test_an_aligned_start_is_the_start_of_a_block(efficientnet: keras.Model) -> None:
    names = freezing.unfreeze_last(efficientnet, 20, align_to_block=True)

    assert names[0] == "block6d_expand_conv"
    assert freezing.find_cut_layer(efficientnet, names[0]).name == "block6c_add"


def test_bottom_and_tail_together_are_the_network(efficientnet: keras.Model, pixels: np.ndarray) -> None:
    set_head_weights(efficientnet, pixels)
    names = freezing.unfreeze_last(efficientnet, 20, align_to_block=False)

    bottom, tail = freezing.split_network(efficientnet, freezing.find_cut_layer(efficientnet, names[0]))

    expected = efficientnet.predict(pixels, verbose=0)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(tail.predict(bottom.predict(pixels, verbose=0), verbose=0), expected, atol=1e-4)


def test_training_the_tail_changes_only_the_unfrozen_layers(efficientnet: keras.Model, pixels: np.ndarray) -> None:
    names = freezing.unfreeze_last(efficientnet, 20, align_to_block=False)
    bottom, tail = freezing.split_network(efficientnet, freezing.find_cut_layer(efficientnet, names[0]))
    set_head_weights(efficientnet, pixels)
    before = {layer.name: layer.get_weights() for layer in efficientnet.layers}

    tail.compile(keras.optimizers.SGD(1.0), "binary_crossentropy")
    tail.train_on_batch(bottom.predict(pixels, verbose=0), np.array([[0.0], [1.0], [0.0], [1.0]]))

    after = {layer.name: layer.get_weights() for layer in efficientnet.layers}
    changed = {name for name in before if not all(np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True))}
    with_weights = {layer.name for layer in efficientnet.layers if layer.name in {*names, detector_network.SCORE} and layer.weights}
    assert changed == with_weights


def test_the_fixed_filters_stay_frozen() -> None:
    model = detector_network.create_detector("residual_cnn", "random", 64, make_head_params(dropout=0, standardize=False), 0, Settings())[0]

    names = freezing.unfreeze_last(model, 100, align_to_block=False)

    assert FIXED_LAYER not in names
    assert not model.get_layer(FIXED_LAYER).trainable
