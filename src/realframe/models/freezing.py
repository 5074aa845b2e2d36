"""Freeze and unfreeze layers of the backbone, and split a detector into a frozen bottom and a trainable tail.

Phase 2 of the training unfreezes the last layers with :func:`unfreeze_last`.
"""

import logging
import re
from collections.abc import Iterator
from typing import Any

import keras

from realframe.models.backbones import FIXED_LAYER

POOLED = "pooled_features"  # the layer between backbone and head
_BLOCK = re.compile(r"^(block_?\d+[a-z]?)_|^(expanded_conv)_")
_log = logging.getLogger(__name__)


def get_backbone_layers(detector: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers between the input and the pooling, both excluded, in Keras' order."""
    names = [layer.name for layer in detector.layers]
    return detector.layers[1 : names.index(POOLED)]


def freeze_backbone(detector: keras.Model) -> None:
    """Freeze all layers below the pooling."""
    for layer in get_backbone_layers(detector):
        layer.trainable = False


def unfreeze_last(detector: keras.Model, count: int, align_to_block: bool) -> list[str]:
    """Freeze the backbone except its last layers.

    Args:
        detector: a flat detector.
        count: number of layers, in Keras' order.
        align_to_block: start at the first layer of the block that contains the first of them.

    Returns:
        The names of the unfrozen layers, as :func:`find_last_layers` returns them.
    """
    freeze_backbone(detector)
    names = find_last_layers(detector, count, align_to_block)
    for name in names:
        detector.get_layer(name).trainable = True
    _log.info("unfrozen: %s", ", ".join(names))
    return names


def find_last_layers(detector: keras.Model, count: int, align_to_block: bool) -> list[str]:
    """Return the names of the layers that :func:`unfreeze_last` unfreezes.

    BatchNormalization is not among them: it keeps its ImageNet statistics. Neither is a layer of fixed filters.
    """
    layers = get_backbone_layers(detector)
    start = max(0, len(layers) - count)
    if align_to_block and start < len(layers):
        start = _find_block_start(layers, start)
    return [layer.name for layer in layers[start:] if not isinstance(layer, keras.layers.BatchNormalization) and layer.name != FIXED_LAYER]


def find_cut_layer(detector: keras.Model, first_unfrozen: str) -> keras.layers.Layer:
    """Return the last layer before ``first_unfrozen`` at which the network can be cut: all later layers depend on its output alone."""
    layers = detector.layers
    position = {layer.name: number for number, layer in enumerate(layers)}
    inputs = read_inputs(detector)
    first = next(number for number, layer in enumerate(layers) if layer.name == first_unfrozen)
    lowest_input = [min((position[name] for name in inputs[layer.name] if name in position), default=0) for layer in layers]
    reach = len(layers)
    cut = 0
    for number in range(len(layers) - 1, 0, -1):  # from the output down; reach is the lowest layer that any layer above reads
        reach = min(reach, lowest_input[number])
        if number - 1 < first and reach == number - 1:
            cut = number - 1
            break
    return layers[cut]


def split_network(detector: keras.Model, cut_layer: keras.layers.Layer) -> tuple[keras.Model, keras.Model]:
    """Split a detector after ``cut_layer`` into (bottom: frames -> activations, tail: activations -> score). Both share its layers."""
    return keras.Model(detector.input, cut_layer.output), keras.Model(cut_layer.output, detector.output)


def get_pooling_layer(detector: keras.Model) -> keras.layers.Layer:
    """Return the pooling layer; the head follows it."""
    return detector.get_layer(POOLED)


def _find_block_start(layers: list[keras.layers.Layer], start: int) -> int:
    match = _BLOCK.match(layers[start].name)
    if match is None:
        return start
    return next(number for number, layer in enumerate(layers) if layer.name.startswith(match.group(0)))


def read_inputs(network: keras.Model) -> dict[str, list[str]]:
    """Return, for each layer and operation of a functional network, the names of those whose outputs it reads.

    They are read from the configuration, which is Keras' file format and its only public form of the graph.
    """
    return {entry["name"]: list(_find_sources(entry["inbound_nodes"])) for entry in network.get_config()["layers"]}


def _find_sources(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and "keras_history" in value:
        yield value["keras_history"][0]
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _find_sources(item)
