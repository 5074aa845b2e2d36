"""Build the detector network: a backbone, global average pooling, and a head that scores each frame, or all frames as one clip."""

import re

import keras
import numpy as np
from keras import layers, ops

from realframe.config import HeadParams
from realframe.models import backbones, heads, weights
from realframe.models.freezing import POOLED
from realframe.settings import Settings

STANDARDIZED = "standardized_features"
SCORE = "score"
CLIP_HEAD = "clip_head"


def build_detector(backbone: str, backbone_weights: weights.BackboneWeights, size: int, head: HeadParams, seed: int) -> keras.Model:
    """Return an untrained detector: float32 RGB frames (N, size, size, 3) in [0, 255] -> probability of ``fake``.

    The output is (N, 1), one score per frame; with a clip head (1, 1), one score for the clip of all N frames in order of time. The network
    is flat (no model within the model), which Grad-CAM and splitting at a layer need. It has built-in layers only, so that its ``.keras``
    file loads in safe mode.

    Args:
        backbone: a name in ``models/backbones.py``.
        backbone_weights: its weights.
        size: side of the frames, pixels.
        head: kind and sizes of the head.
        seed: of all random weights and of the dropout.

    Raises:
        ParamsError: the backbone does not exist.
        WeightsError: the weights do not fit it.
    """
    keras.utils.set_random_seed(seed)
    frames = keras.Input((size, size, 3), name="frames")
    base = backbones.get_backbone(backbone).build(frames)
    weights.load_weights(base, backbone_weights)
    x = layers.GlobalAveragePooling2D(name=POOLED)(base.output)
    name = re.sub(r"\W", "_", f"realframe_{backbone}")
    if head.scores_clips:
        score = heads.build_head(x.shape[-1], head, seed, CLIP_HEAD)(ops.expand_dims(x, 0))
        return keras.Model(frames, score, name=name)
    if head.standardize:
        x = layers.Normalization(name=STANDARDIZED)(x)
    x = layers.Dropout(head.dropout, seed=seed, name="dropout")(x)
    score = layers.Dense(1, activation="sigmoid", kernel_initializer="zeros", name=SCORE)(x)  # random weights would never decay
    return keras.Model(frames, score, name=name)


def create_detector(
    backbone: str, choice: str, size: int, head: HeadParams, seed: int, settings: Settings
) -> tuple[keras.Model, weights.BackboneWeights]:
    """Find the weights that ``train.weights`` names and build an untrained detector with them. Raises ParamsError, WeightsError."""
    backbone_weights = weights.find_weights(choice, backbones.get_backbone(backbone), settings)
    return build_detector(backbone, backbone_weights, size, head, seed), backbone_weights


def get_clip_head(detector: keras.Model) -> keras.Model | None:
    """Return the head that scores a clip by the features of its frames, (B, T, width) -> (B, 1); None for a detector of frames."""
    return detector.get_layer(CLIP_HEAD) if any(layer.name == CLIP_HEAD for layer in detector.layers) else None


def fit_standardization(detector: keras.Model, features: np.ndarray) -> None:
    """Set mean and variance of the standardization layer, if any, to those of pooled features (N, width)."""
    if any(layer.name == STANDARDIZED for layer in detector.layers):
        detector.get_layer(STANDARDIZED).adapt(features)


def initialize_head(detector: keras.Model, weights: np.ndarray, bias: float) -> None:
    """Set the weights of a frame head to those of a linear model of the pooled features.

    Args:
        detector: its standardization layer, if any, must be fitted.
        weights: weights for unscaled features, (width,).
        bias: the log-odds are ``features @ weights + bias``.
    """
    if any(layer.name == STANDARDIZED for layer in detector.layers):
        layer = detector.get_layer(STANDARDIZED)
        mean, spread = np.ravel(layer.mean), np.sqrt(np.ravel(layer.variance))
        weights, bias = weights * spread, bias + float(weights @ mean)
    detector.get_layer(SCORE).set_weights([weights[:, None], np.array([bias])])
