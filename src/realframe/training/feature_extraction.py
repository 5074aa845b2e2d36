"""Extract the pooled features of a dataset with an untrained detector, through the cache of activations."""

import shutil
from pathlib import Path

import keras
import pandas as pd

from realframe.config import TrainParams
from realframe.models.activations import ActivationCache
from realframe.models.detector_network import POOLED
from realframe.models.frame_features import FrameFeatures
from realframe.models.weights import BackboneWeights
from realframe.settings import Settings
from realframe.training.two_phase import cached_layers


def extract_features(
    model: keras.Model,
    weights: BackboneWeights,
    frames: dict[str, pd.DataFrame],
    train: TrainParams,
    seed: int,
    folder: Path,
    settings: Settings,
) -> tuple[FrameFeatures, int]:
    """Write the pooled features of every frame into ``folder``; return them, and the number of newly computed activations.

    The activations that the training reads are computed in the same pass.

    Args:
        model: an untrained detector.
        weights: the weights of its backbone.
        frames: the frame tables of the splits; those of ``train`` get all views where the head is trained on the features themselves.
        train: the parameters of the training.
        seed: seed of the views.
        folder: the folder of the features; it is emptied first.
        settings: the cache folder and the number of threads.
    """
    views = {split: train.activations.views if split == "train" and train.head.scores_clips else 1 for split in frames}

    def open_cache(layers: list[str]) -> ActivationCache:
        return ActivationCache(model, layers, settings.cache_dir, train.augment, seed, settings.workers)

    pooled, trained = open_cache([POOLED]), open_cache(cached_layers(model, train))
    computed = sum((pooled if split == "test" else trained).fill(table, views[split]) for split, table in frames.items())
    shutil.rmtree(folder, ignore_errors=True)
    size, width = int(model.input.shape[1]), int(model.get_layer(POOLED).output.shape[-1])
    facts = {"name": weights.name, "sha256": weights.sha256}
    features = FrameFeatures(folder, train.backbone, facts, size, width, views["train"])
    for split, table in frames.items():
        for media_id, digest in table[["media_id", "digest"]].drop_duplicates().itertuples(index=False):
            for view in range(views[split]):
                features.add_file(media_id, view, pooled.path(POOLED, digest, view))
    features.write_summary(media_id for table in frames.values() for media_id in table["media_id"].unique())
    return features, computed
