"""Compute Grad-CAM heatmaps: which regions of a frame raise the score of ``fake``.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017. The weight of a channel of
the feature maps is the mean gradient of the log-odds of ``fake`` with respect to it; the heat is the weighted sum where it is positive.
"""

from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf
from matplotlib import colormaps
from PIL import Image

from realframe.models.freezing import POOLED, read_inputs

_BATCH = 32
_ALPHA = 0.4
_gradcam_layers: WeakKeyDictionary[keras.Model, keras.layers.Layer] = WeakKeyDictionary()  # to find it takes a tenth of a second


def find_gradcam_layer(model: keras.Model) -> keras.layers.Layer:
    """Return the last layer (or operation) with feature maps, (N, h, w, channels): the input of the pooling layer."""
    if model not in _gradcam_layers:
        (name,) = read_inputs(model)[POOLED]
        _gradcam_layers[model] = next(operation for operation in model.operations if operation.name == name)
    return _gradcam_layers[model]


def compute_heatmaps(model: keras.Model, frames: np.ndarray) -> np.ndarray:
    """Return the heatmaps of the frames of one clip.

    Args:
        model: a detector with a layer ``POOLED``: frames -> (N, 1), a score per frame, or frames -> (1, 1), one score of the whole clip.
        frames: the clip's frames, (N, size, size, 3) in [0, 255], at least one.

    Returns:
        float32 (N, h, w), the size of the feature maps, in [0, 1]; 1 is the maximum over the clip. All 0 where there is no evidence for
        ``fake``.
    """
    feature_maps = find_gradcam_layer(model).output
    bottom, tail = keras.Model(model.input, feature_maps), keras.Model(feature_maps, model.output)
    batches = (frames[start : start + _BATCH].astype(np.float32) for start in range(0, len(frames), _BATCH))
    maps = tf.concat([bottom(batch, training=False) for batch in batches], axis=0)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        log_odds = tf.reduce_sum(
            _log_odds(tail(maps, training=False))
        )  # the sum keeps the gradients per frame: frame scores do not depend on each other
    weights = tf.reduce_mean(tape.gradient(log_odds, maps), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)).numpy()
    maximum = heat.max()
    return heat / maximum if maximum > 0 else heat


def overlay_heatmap(frame: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Blend a heatmap over a frame, with the colormap ``jet`` (blue is 0, red is 1).

    Args:
        frame: uint8 (height, width, 3).
        heat: float (h, w) in [0, 1], of any size.

    Returns:
        uint8 (height, width, 3).
    """
    height, width = frame.shape[:2]
    resized = np.asarray(Image.fromarray(heat.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))
    colors = 255 * colormaps["jet"](resized)[..., :3]
    return np.rint((1 - _ALPHA) * frame + _ALPHA * colors).astype(np.uint8)


def _log_odds(score: tf.Tensor) -> tf.Tensor:
    """Return log(score / (1 - score)) by Keras' loss, which uses the input of a sigmoid: a score that rounds to 1 keeps its gradient.

    Where the activation is not a sigmoid, Keras clips the score at 1e-7 from 0 and 1.
    """
    return keras.ops.binary_crossentropy(tf.zeros_like(score), score) - keras.ops.binary_crossentropy(tf.ones_like(score), score)
