"""Build the heads that score a clip: a sequence of pooled features -> the probability of ``fake``.

A new head is one function and one entry in ``_HEADS``, and its name in ``realframe.config.HeadKind``.

A frame whose features are all zero is padding. The mask is computed inside the head, so that the score does not depend on the amount of
padding, and so that a saved head has one input.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from realframe.config import HeadParams

ATTENTION = "attention"
STANDARDIZED = "standardized_sequence"
_ATTENTION_HEADS = 4


@dataclass(frozen=True)
class _Sequence:
    """The input of a head: standardized features (B, T, width), and the mask, (B, T), false where a frame is padding."""

    features: keras.KerasTensor
    mask: keras.KerasTensor


def build_head(width: int, head: HeadParams, seed: int, name: str) -> keras.Model:
    """Build an untrained head: float32 (B, T, width), zero after the end of each clip -> (B, 1).

    Args:
        width: number of features of a frame.
        head: kind and sizes of the head.
        seed: seed of the dropout; the weights use the global seed of Keras.
        name: name of the model.
    """
    sequence = keras.Input((None, width), name="sequence")
    mask = ops.any(ops.not_equal(sequence, 0.0), axis=-1)
    features = layers.Normalization(name=STANDARDIZED)(sequence) if head.standardize else sequence
    x = _HEADS[head.kind](_Sequence(features, mask), head)
    if head.dense:
        x = layers.Dense(head.dense, activation="relu", name="dense")(x)
    x = layers.Dropout(head.dropout, seed=seed, name="dropout")(x)
    return keras.Model(sequence, layers.Dense(1, activation="sigmoid", name="score")(x), name=name)


def set_standardization(head: keras.Model, mean: np.ndarray, variance: np.ndarray) -> None:
    """Set the mean and the variance (width,) of the standardization layer, if any."""
    if any(layer.name == STANDARDIZED for layer in head.layers):
        layer = head.get_layer(STANDARDIZED)
        shape = layer.get_weights()[0].shape
        layer.set_weights([mean.reshape(shape), variance.reshape(shape), np.array(0)])
        layer.finalize_state()


def get_attention_model(head: keras.Model) -> keras.Model | None:
    """Return the model of a head's attention weights, (B, T, width) -> (B, T); None for a head without attention."""
    if all(layer.name != ATTENTION for layer in head.layers):
        return None
    return keras.Model(head.input, head.get_layer(ATTENTION).output)


def _make_recurrent(layer: type[keras.layers.Layer]) -> Callable[[_Sequence, HeadParams], keras.KerasTensor]:
    def build(sequence: _Sequence, head: HeadParams) -> keras.KerasTensor:
        return layer(head.units, name=head.kind)(sequence.features, mask=sequence.mask)

    return build


def _bilstm_attention(sequence: _Sequence, head: HeadParams) -> keras.KerasTensor:
    """Bidirectional LSTM, pooled by additive attention (Bahdanau et al. 2015; as pooling: Yang et al. 2016)."""
    both = layers.Bidirectional(layers.LSTM(head.units, return_sequences=True), name="bilstm")(sequence.features, mask=sequence.mask)
    energy = layers.Dense(1, use_bias=False, name="attention_energy")(
        layers.Dense(head.units, activation="tanh", name="attention_keys")(both)
    )
    weights = layers.Softmax(name=ATTENTION)(ops.squeeze(energy, axis=-1), mask=sequence.mask)
    return layers.Dot(axes=1, name="attended")([weights, both])


def _transformer(sequence: _Sequence, head: HeadParams) -> keras.KerasTensor:
    """One encoder layer (Vaswani et al. 2017; normalized first: Xiong et al. 2020) with learned positions; the mean over the frames."""
    position = ops.maximum(ops.cumsum(ops.cast(sequence.mask, "int32"), axis=1) - 1, 0)
    x = layers.Dense(head.units, name="projected")(sequence.features) + layers.Embedding(head.length, head.units, name="positions")(
        position
    )
    heads = min(_ATTENTION_HEADS, head.units)
    attention = layers.MultiHeadAttention(heads, max(1, head.units // heads), name="self_attention")
    normalized = layers.LayerNormalization(name="norm1")(x)
    x = x + attention(normalized, normalized, attention_mask=ops.expand_dims(sequence.mask, 1))
    wide = layers.Dense(2 * head.units, activation="gelu", name="wide")(layers.LayerNormalization(name="norm2")(x))
    x = x + layers.Dense(head.units, name="narrow")(wide)
    return layers.GlobalAveragePooling1D(name="mean_of_frames")(x, mask=sequence.mask)


_HEADS: dict[str, Callable[[_Sequence, HeadParams], keras.KerasTensor]] = {
    "lstm": _make_recurrent(layers.LSTM),
    "gru": _make_recurrent(layers.GRU),
    "simple_rnn": _make_recurrent(layers.SimpleRNN),
    "bilstm_attention": _bilstm_attention,
    "transformer": _transformer,
}
