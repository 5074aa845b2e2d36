"""Train a detector by the parameters of a run: used by every stage that trains, for frame heads and clip heads."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import pandas as pd

from realframe import artifacts
from realframe.config import Params, TrainParams
from realframe.models import detector_network
from realframe.models.frame_features import FrameFeatures
from realframe.models.weights import BackboneWeights
from realframe.settings import Settings
from realframe.training import clip_training, two_phase
from realframe.training.training_job import TrainingJob, TrainingOutcome


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
