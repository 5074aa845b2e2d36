"""Where in the frames the evidence for ``fake`` stands: Grad-CAM.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017. A channel of the feature
maps weighs as much as the mean gradient of the log-odds of ``fake`` with respect to it; the sum is heat where it is above zero.
"""

import keras
import numpy as np
import tensorflow as tf
from matplotlib import colormaps
from PIL import Image

from realframe.models.detector_network import POOLED

_BATCH = 32
_ALPHA = 0.4


def gradcam_layer(model: keras.Model) -> keras.layers.Layer:
    """Return the layer (or operation) whose feature maps, (N, h, w, channels), the pooling layer reads: the last ones in space."""
    return model.get_layer(POOLED).input._keras_history.operation


def heatmaps(model: keras.Model, frames: np.ndarray) -> np.ndarray:
    """Return where in each frame of one clip the evidence for ``fake`` stands.

    Args:
        model: a detector with a layer ``POOLED``: frames -> (N, 1), a score per frame, or frames -> (1, 1), one score of the whole clip.
        frames: the clip's frames, (N, size, size, 3) in [0, 255], at least one.

    Returns:
        float32 (N, h, w), the size of the feature maps, in [0, 1]; 1 is the hottest place of the clip. All 0 where nothing speaks for
        ``fake``.
    """
    maps_of = gradcam_layer(model).output
    bottom, tail = keras.Model(model.input, maps_of), keras.Model(maps_of, model.output)
    batches = (frames[at : at + _BATCH].astype(np.float32) for at in range(0, len(frames), _BATCH))
    maps = tf.concat([bottom(batch, training=False) for batch in batches], axis=0)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        log_odds = tf.reduce_sum(_log_odds(tail(maps, training=False)))  # a sum: scores per frame do not depend on each other
    weights = tf.reduce_mean(tape.gradient(log_odds, maps), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)).numpy()
    hottest = heat.max()
    return heat / hottest if hottest > 0 else heat


def overlay(frame: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay heat over a frame, in the colours of ``jet`` (blue is 0, red is 1).

    Args:
        frame: uint8 (height, width, 3).
        heat: float (h, w) in [0, 1], of any size.

    Returns:
        uint8 (height, width, 3).
    """
    height, width = frame.shape[:2]
    smooth = np.asarray(Image.fromarray(heat.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))
    colours = 255 * colormaps["jet"](smooth)[..., :3]
    return np.rint((1 - _ALPHA) * frame + _ALPHA * colours).astype(np.uint8)


def _log_odds(score: tf.Tensor) -> tf.Tensor:
    """Return log(score / (1 - score)) by Keras' loss, which knows what went into a sigmoid: a score that rounds to 1 keeps its gradient.

    Where a layer's activation was no sigmoid, Keras clips the score at 1e-7 from 0 and 1.
    """
    return keras.ops.binary_crossentropy(tf.zeros_like(score), score) - keras.ops.binary_crossentropy(tf.ones_like(score), score)
