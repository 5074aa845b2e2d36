"""What a frozen backbone says of a frame, without any training: the ground that a floor stands on."""

import numpy as np
import pandas as pd

from bonafide.models import detector
from bonafide.models.activations import ActivationCache
from bonafide.params import Train
from bonafide.settings import Settings, get_settings


def frozen_features(frames: pd.DataFrame, train: Train, size: int, seed: int, settings: Settings | None = None) -> np.ndarray:
    """Return the pooled features of frames as they are, from the recipe's backbone before any training.

    They come from the same cache that training fills, so that after a training with this backbone most are there already.

    Args:
        frames: a table made by ``bonafide.dataset.batches.frame_table``.
        train: says which backbone, with which weights.
        size: side of the frames, pixels.
        seed: of the weights, where they are random.
        settings: of this process, unless given.

    Returns:
        float32 (len(frames), width).

    Raises:
        WeightsError: the weights can't be had.
    """
    settings = settings or get_settings()
    untrained, _ = detector.open_backbone(train.backbone, train.weights, size, train.head, seed, settings)
    cache = ActivationCache(untrained, [detector.POOLED], settings.cache_dir, train.augment, seed, settings.workers)
    cache.fill(frames, views=1)
    rows = np.arange(len(frames))
    return cache.gather(detector.POOLED, frames, rows, np.zeros_like(rows))
