"""The detector: a backbone, the mean of its feature maps, and a head that scores each frame, or the frames as one clip."""

import re

import keras
import numpy as np
from keras import layers, ops

from realframe.config import Head
from realframe.models import backbones, heads, weights
from realframe.settings import Settings

POOLED = "pooled_features"
STANDARDIZED = "standardized_features"
SCORE = "score"
CLIP_HEAD = "clip_head"


def build_detector(backbone: str, found: weights.Weights, size: int, head: Head, seed: int) -> keras.Model:
    """Return an untrained detector: float32 RGB frames (N, size, size, 3) in [0, 255] -> probability of ``fake``.

    It gives (N, 1), one for each frame; with a sequential head (1, 1), one for the clip of all N frames, in the order of time.
    The backbone is flat (no model within the model, which Grad-CAM and splitting at a layer need). It saves to a ``.keras`` file that
    loads in safe mode: built-in layers only.

    Args:
        backbone: a name in ``models/backbones.py``.
        found: its weights.
        size: side of the frames, pixels.
        head: what stands on the backbone.
        seed: of all random weights and of the dropout.

    Raises:
        ParamsError: there is no such backbone.
        WeightsError: the weights don't fit it.
    """
    keras.utils.set_random_seed(seed)
    frames = keras.Input((size, size, 3), name="frames")
    base = backbones.get(backbone).build(frames)
    weights.load(base, found)
    x = layers.GlobalAveragePooling2D(name=POOLED)(base.output)
    name = re.sub(r"\W", "_", f"realframe_{backbone}")
    if head.sequential:
        score = heads.build(x.shape[-1], head, seed, CLIP_HEAD)(ops.expand_dims(x, 0))
        return keras.Model(frames, score, name=name)
    if head.normalize:
        x = layers.Normalization(name=STANDARDIZED)(x)
    x = layers.Dropout(head.dropout, seed=seed, name="dropout")(x)
    score = layers.Dense(1, activation="sigmoid", kernel_initializer="zeros", name=SCORE)(x)  # random ones never fade
    return keras.Model(frames, score, name=name)


def open_backbone(backbone: str, choice: str, size: int, head: Head, seed: int, settings: Settings) -> tuple[keras.Model, weights.Weights]:
    """Find the weights that ``train.weights`` asks for and build a detector on them. Raises ParamsError, WeightsError."""
    found = weights.find(choice, backbones.get(backbone), settings)
    return build_detector(backbone, found, size, head, seed), found


def backbone_layers(detector: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers below the pooling, from the input on, without the input itself."""
    names = [layer.name for layer in detector.layers]
    return detector.layers[1 : names.index(POOLED)]


def clip_head(detector: keras.Model) -> keras.Model | None:
    """Return the head that scores a clip by the features of its frames, (B, T, width) -> (B, 1); None where frames are scored."""
    return detector.get_layer(CLIP_HEAD) if any(layer.name == CLIP_HEAD for layer in detector.layers) else None


def standardize(detector: keras.Model, features: np.ndarray) -> None:
    """Set the head's mean and variance to those of pooled features (N, width), where it has such a layer."""
    if any(layer.name == STANDARDIZED for layer in detector.layers):
        detector.get_layer(STANDARDIZED).adapt(features)


def begin_at(detector: keras.Model, weights: np.ndarray, bias: float) -> None:
    """Let the head give what a linear model of the pooled features gives.

    Args:
        detector: already standardized, where it has such a layer.
        weights: of the features as they are, (width,).
        bias: its log-odds are ``features @ weights + bias``.
    """
    if any(layer.name == STANDARDIZED for layer in detector.layers):
        layer = detector.get_layer(STANDARDIZED)
        mean, spread = np.ravel(layer.mean), np.sqrt(np.ravel(layer.variance))
        weights, bias = weights * spread, bias + float(weights @ mean)
    detector.get_layer(SCORE).set_weights([weights[:, None], np.array([bias])])
