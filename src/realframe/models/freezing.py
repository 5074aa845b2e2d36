"""Where the frozen part of a network ends, and the network cut there into a frozen bottom and a trainable tail."""

import logging
import re

import keras

from realframe.models.backbones import FIXED_LAYER
from realframe.models.detector_network import POOLED, backbone_layers

_BLOCK = re.compile(r"^(block_?\d+[a-z]?)_|^(expanded_conv)_")
_log = logging.getLogger(__name__)


def freeze_backbone(detector: keras.Model) -> None:
    """Freeze all layers below the pooling."""
    for layer in backbone_layers(detector):
        layer.trainable = False


def unfreeze_last(detector: keras.Model, count: int, align_to_block: bool) -> list[str]:
    """Freeze the backbone but for its last layers, of which BatchNormalization stays frozen: it keeps its ImageNet statistics.

    Args:
        detector: a flat detector.
        count: layers of the backbone, in Keras' order.
        align_to_block: begin at the first layer of the block in which the first of them stands.

    Returns:
        The names of the unfrozen layers, BatchNormalization not among them.
    """
    freeze_backbone(detector)
    layers = backbone_layers(detector)
    start = max(0, len(layers) - count)
    if align_to_block and start < len(layers):
        start = _start_of_block(layers, start)
    unfrozen = [layer for layer in layers[start:] if not isinstance(layer, keras.layers.BatchNormalization) and layer.name != FIXED_LAYER]
    for layer in unfrozen:
        layer.trainable = True
    names = [layer.name for layer in unfrozen]
    _log.info("unfrozen: %s", ", ".join(names))
    return names


def find_boundary(detector: keras.Model, first_unfrozen: str) -> keras.layers.Layer:
    """Return the latest layer before ``first_unfrozen`` through whose single output everything above it depends on the input."""
    layers = detector.layers
    position = {id(layer): number for number, layer in enumerate(layers)}
    first = next(number for number, layer in enumerate(layers) if layer.name == first_unfrozen)
    lowest_input = [min((position[id(below)] for below in _inputs_of(layer, position)), default=0) for layer in layers]
    reach = len(layers)
    cut = 0
    for number in range(len(layers) - 1, 0, -1):  # from the output down: reach is the lowest layer that anything above reads
        reach = min(reach, lowest_input[number])
        if number - 1 < first and reach == number - 1:
            cut = number - 1
            break
    return layers[cut]


def split(detector: keras.Model, boundary: keras.layers.Layer) -> tuple[keras.Model, keras.Model]:
    """Cut a detector behind ``boundary``: (bottom, frames -> activations; tail, activations -> score). Both share its layers."""
    return keras.Model(detector.input, boundary.output), keras.Model(boundary.output, detector.output)


def pooling(detector: keras.Model) -> keras.layers.Layer:
    """Return the layer behind which the head begins."""
    return detector.get_layer(POOLED)


def _inputs_of(layer: keras.layers.Layer, position: dict[int, int]) -> list[keras.layers.Layer]:
    """Return the layers of the network whose outputs ``layer`` reads; another network may share it, so only its first use counts."""
    node = layer._inbound_nodes[0]
    return [tensor._keras_history.operation for tensor in node.input_tensors if id(tensor._keras_history.operation) in position]


def _start_of_block(layers: list[keras.layers.Layer], start: int) -> int:
    match = _BLOCK.match(layers[start].name)
    if match is None:
        return start
    return next(number for number, layer in enumerate(layers) if layer.name.startswith(match.group(0)))
