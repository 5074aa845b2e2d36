"""Extract the features of a dataset and train a detector, by the parameters of a run, for frame heads and clip heads.

Every stage that trains uses these functions. The features are those of the untrained backbone, through the cache of activations.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import pandas as pd

from realframe import artifacts
from realframe.config import Params, TrainParams
from realframe.models import detector_network
from realframe.models.activations import ActivationCache
from realframe.models.frame_features import FrameFeatures
from realframe.models.freezing import POOLED
from realframe.models.weights import BackboneWeights
from realframe.settings import Settings
from realframe.training import clip_training, two_phase
from realframe.training.training_job import TrainingJob, TrainingOutcome
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
        return ActivationCache(model, layers, settings.cache_dir, settings.cache_limit_bytes, train.augment, seed, settings.workers)

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


def train_detector(model: keras.Model, job: TrainingJob) -> TrainingOutcome:
    """Train an untrained detector in place. Raises SetupError where the disk is too full for the activations."""
    return clip_training.train_clip_head(model, job) if job.train.head.scores_clips else two_phase.train_two_phase(model, job)


def create_job(params: Params, frames: dict[str, pd.DataFrame], state_dir: Path, settings: Settings) -> TrainingJob:
    """Create the training job of a run. Raises DatasetError.

    Args:
        params: the parameters.
        frames: the frame tables of ``train`` and ``val``.
        state_dir: the folder of the state from which a killed training resumes.
        settings: the cache folder and the number of threads.
    """
    return TrainingJob(
        train=params.train,
        seed=params.seed,
        frames=frames,
        features=FrameFeatures.open(artifacts.FEATURES),
        use_smote=params.balance.method == "smote",
        cache_dir=settings.cache_dir,
        cache_limit_bytes=settings.cache_limit_bytes,
        state_dir=state_dir,
        workers=settings.workers,
    )


def make_model_builder(params: Params, weights: BackboneWeights) -> Callable[[TrainParams], keras.Model]:
    """Return a function that builds an untrained detector, the same one at each call."""

    def build_model(train: TrainParams) -> keras.Model:
        keras.utils.clear_session()  # resets Keras' counters, such as those of layer names, as in a process that builds one model
        return detector_network.build_detector(train.backbone, weights, params.clean.size, train.head, params.seed)

    return build_model


def training_digest(params: Params, frames: Mapping[str, pd.DataFrame], *more: object) -> str:
    """Return a digest of everything that a training depends on, which names its state; 16 hex digits.

    Args:
        params: the parameters.
        frames: the frame tables by split.
        more: further facts that the result depends on, JSON-serializable.
    """
    shards = {split: sorted(table["digest"].unique()) for split, table in frames.items()}
    facts = [params.recipe, params.seed, params.clean.size, params.train.model_dump(), params.tune.model_dump(), shards, *more]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
