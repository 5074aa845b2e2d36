"""Heads that score a clip: a sequence of pooled features in, the probability of ``fake`` out.

A frame whose features are all zero is padding. The mask is computed inside the head, so that a clip scores the same however far it is
padded, and so that a saved head needs nothing beside its input.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from realframe.config import Head

ATTENTION = "attention"
STANDARDIZED = "standardized_sequence"
_ATTENTION_HEADS = 4


@dataclass(frozen=True)
class _Clip:
    """What a head is built on: standardized features (B, T, width), and which frames are there, (B, T)."""

    features: keras.KerasTensor
    there: keras.KerasTensor


def build(width: int, head: Head, seed: int, name: str) -> keras.Model:
    """Return an untrained head: float32 (B, T, width), zeros after each clip's end -> (B, 1).

    Args:
        width: of the features.
        head: its kind and sizes.
        seed: of its dropout; its weights come from Keras' own seed.
        name: of the model.
    """
    sequence = keras.Input((None, width), name="sequence")
    there = ops.any(ops.not_equal(sequence, 0.0), axis=-1)
    features = layers.Normalization(name=STANDARDIZED)(sequence) if head.normalize else sequence
    x = _KINDS[head.kind](_Clip(features, there), head)
    if head.dense:
        x = layers.Dense(head.dense, activation="relu", name="dense")(x)
    x = layers.Dropout(head.dropout, seed=seed, name="dropout")(x)
    return keras.Model(sequence, layers.Dense(1, activation="sigmoid", name="score")(x), name=name)


def standardize(head: keras.Model, mean: np.ndarray, variance: np.ndarray) -> None:
    """Set the mean and the variance (width,) by which a head standardizes, where it does."""
    if any(layer.name == STANDARDIZED for layer in head.layers):
        layer = head.get_layer(STANDARDIZED)
        shape = layer.get_weights()[0].shape
        layer.set_weights([mean.reshape(shape), variance.reshape(shape), np.array(0)])
        layer.finalize_state()


def attention_model(head: keras.Model) -> keras.Model | None:
    """Return the part of a head that gives its attention, (B, T, width) -> (B, T); None where it has none."""
    if all(layer.name != ATTENTION for layer in head.layers):
        return None
    return keras.Model(head.input, head.get_layer(ATTENTION).output)


def _recurrent(layer: type[keras.layers.Layer]) -> Callable[[_Clip, Head], keras.KerasTensor]:
    def built(clip: _Clip, head: Head) -> keras.KerasTensor:
        return layer(head.units, name=head.kind)(clip.features, mask=clip.there)

    return built


def _bilstm_attention(clip: _Clip, head: Head) -> keras.KerasTensor:
    """Bidirectional LSTM, its steps weighed by additive attention (Bahdanau et al. 2015; as pooling: Yang et al. 2016)."""
    both = layers.Bidirectional(layers.LSTM(head.units, return_sequences=True), name="bilstm")(clip.features, mask=clip.there)
    energy = layers.Dense(1, use_bias=False, name="attention_energy")(
        layers.Dense(head.units, activation="tanh", name="attention_keys")(both)
    )
    weights = layers.Softmax(name=ATTENTION)(ops.squeeze(energy, axis=-1), mask=clip.there)
    return layers.Dot(axes=1, name="attended")([weights, both])


def _transformer(clip: _Clip, head: Head) -> keras.KerasTensor:
    """One encoder layer (Vaswani et al. 2017; normalized first: Xiong et al. 2020) with learned positions; the mean over the frames."""
    place = ops.maximum(ops.cumsum(ops.cast(clip.there, "int32"), axis=1) - 1, 0)
    x = layers.Dense(head.units, name="projected")(clip.features) + layers.Embedding(head.length, head.units, name="positions")(place)
    heads = min(_ATTENTION_HEADS, head.units)
    attention = layers.MultiHeadAttention(heads, max(1, head.units // heads), name="self_attention")
    normed = layers.LayerNormalization(name="norm1")(x)
    x = x + attention(normed, normed, attention_mask=ops.expand_dims(clip.there, 1))
    wide = layers.Dense(2 * head.units, activation="gelu", name="wide")(layers.LayerNormalization(name="norm2")(x))
    x = x + layers.Dense(head.units, name="narrow")(wide)
    return layers.GlobalAveragePooling1D(name="mean_of_frames")(x, mask=clip.there)


_KINDS: dict[str, Callable[[_Clip, Head], keras.KerasTensor]] = {
    "lstm": _recurrent(layers.LSTM),
    "gru": _recurrent(layers.GRU),
    "simple_rnn": _recurrent(layers.SimpleRNN),
    "bilstm_attention": _bilstm_attention,
    "transformer": _transformer,
}
