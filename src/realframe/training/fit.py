"""One training by the parameters of a run: what every stage that trains has in common, whichever head learns."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import pandas as pd

from realframe import artifacts
from realframe.config import Params, Train
from realframe.models import detector_network
from realframe.models.frame_features import Features
from realframe.models.weights import Weights
from realframe.settings import Settings
from realframe.training import clip_training, two_phase
from realframe.training.training_job import Job, Outcome


def builder(params: Params, weights: Weights) -> Callable[[Train], keras.Model]:
    """Return what makes an untrained detector, each time the same one."""

    def build(train: Train) -> keras.Model:
        keras.utils.clear_session()  # what Keras counts up, such as names of layers, begins anew, as in a process that builds one model
        return detector_network.build_detector(train.backbone, weights, params.clean.size, train.head, params.seed)

    return build


def job_of(params: Params, frames: dict[str, pd.DataFrame], folder: Path, settings: Settings) -> Job:
    """Return the training of a run on the tables of its ``train`` and ``val`` frames. Raises DatasetError.

    Args:
        params: the parameters.
        frames: by split.
        folder: where the state is kept from which a killed training goes on.
        settings: the folder of caches, the threads.
    """
    return Job(
        train=params.train,
        seed=params.seed,
        frames=frames,
        features=Features.open(artifacts.FEATURES),
        smote=params.balance.method == "smote",
        cache=settings.cache_dir,
        folder=folder,
        workers=settings.workers,
    )


def fit(model: keras.Model, job: Job) -> Outcome:
    """Train an untrained detector in place, as its head asks for. Raises SetupError where the disk has no room for the activations."""
    return clip_training.fit(model, job) if job.train.head.sequential else two_phase.fit(model, job)


def name_of(params: Params, frames: Mapping[str, pd.DataFrame], *more: object) -> str:
    """Name what a training depends on, so that a killed one is found again by the same training only; 16 hex digits.

    Args:
        params: the parameters.
        frames: by split.
        more: JSON-able facts on which the work depends besides.
    """
    shards = {split: sorted(table["digest"].unique()) for split, table in frames.items()}
    facts = [params.recipe, params.seed, params.clean.size, params.train.model_dump(), params.tune.model_dump(), shards, *more]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
