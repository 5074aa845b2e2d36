"""The features of a dataset from an untrained detector, through the cache of activations: what is there is not computed again."""

import shutil
from pathlib import Path

import keras
import pandas as pd

from realframe.config import Train
from realframe.models import detector_network
from realframe.models.activations import ActivationCache
from realframe.models.frame_features import Features
from realframe.models.weights import Weights
from realframe.settings import Settings
from realframe.training.two_phase import cached_layers


def extract(
    model: keras.Model, weights: Weights, frames: dict[str, pd.DataFrame], train: Train, seed: int, folder: Path, settings: Settings
) -> tuple[Features, int]:
    """Write the pooled features of every frame into ``folder``; return them, and how many activations were computed anew.

    What training will read of its frames is computed in the same pass.

    Args:
        model: an untrained detector.
        weights: its backbone's.
        frames: the frame tables of the splits; those of ``train`` get all views where the head learns from the features themselves.
        train: how the detector will learn.
        seed: of the views.
        folder: is emptied first.
        settings: the folder of caches, the threads.
    """
    views = train.activations.views if train.head.sequential else 1

    def cache(layers: list[str]) -> ActivationCache:
        return ActivationCache(model, layers, settings.cache_dir, train.augment, seed, settings.workers)

    pooled, learned = cache([detector_network.POOLED]), cache(cached_layers(model, train))
    computed = sum((pooled if split == "test" else learned).fill(table, _views(split, views)) for split, table in frames.items())
    shutil.rmtree(folder, ignore_errors=True)
    size, width = int(model.input.shape[1]), int(model.get_layer(detector_network.POOLED).output.shape[-1])
    features = Features(folder, train.backbone, {"name": weights.name, "sha256": weights.sha256}, size, width, views)
    for split, table in frames.items():
        for media_id, digest in table[["media_id", "digest"]].drop_duplicates().itertuples(index=False):
            for view in range(_views(split, views)):
                features.take(media_id, view, pooled.file(detector_network.POOLED, digest, view))
    features.finish(media_id for table in frames.values() for media_id in table["media_id"].unique())
    return features, computed


def _views(split: str, views: int) -> int:
    return views if split == "train" else 1
