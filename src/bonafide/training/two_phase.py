"""The schedule: the head alone on a frozen backbone, then the backbone's last layers with it. Validation alone chooses what is kept.

Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018), gradual unfreezing; Kumar et al., "Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution" (2022): why the head must have converged before the backbone moves, and
why it begins at the linear probe.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from bonafide.dataset.batches import EpochPlan, FrameReader, stream
from bonafide.models import boundary, detector, probe
from bonafide.models.activations import ActivationCache
from bonafide.params import Train
from bonafide.training import phase as phases
from bonafide.training.callbacks import Listener, Row
from bonafide.training.sources import Sources

_VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        train: how the detector learns.
        seed: of the order of the frames and of their views.
        frames: the tables of the ``train`` and the ``val`` frames.
        cache: the folder of caches.
        folder: where the state is kept from which a killed training goes on.
        workers: threads.
        listeners: told of each epoch while it runs.
    """

    train: Train
    seed: int
    frames: dict[str, pd.DataFrame]
    cache: Path
    folder: Path
    workers: int
    listeners: tuple[Listener, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a training gave, beside the detector's new weights.

    Attributes:
        history: one row per epoch.
        best: the row of the epoch whose weights the detector has: the lowest validation loss of both phases.
        unfrozen: the layers of the backbone that learned.
        computed: activations that were computed, not found; frames times views.
        seconds: wall clock of this process's part.
    """

    history: list[Row]
    best: Row
    unfrozen: list[str]
    computed: int
    seconds: float


def fit(model: keras.Model, job: Job) -> Outcome:
    """Train an untrained detector in place, by the schedule of ``job.train``.

    Raises:
        SetupError: the disk has no room for the activations.
    """
    began = time.monotonic()
    schedule = job.train
    first, second, unfrozen = _cuts(model, schedule)
    layers = [layer for layer in (first, second) if layer is not None]
    cache, computed = _filled(model, layers, job) if schedule.activations.cache else (None, 0)
    readers = {split: FrameReader(table, job.workers) for split, table in job.frames.items()}
    sources = {split: Sources(job.frames[split], model, schedule.augment, job.seed, readers[split], cache) for split in readers}
    if schedule.phase1.frozen:
        _begin_head(model, _as_they_are(sources["train"], first), job)
    one = _phase(1, model, first, sources, job)
    history = _told(phases.beginning(one), job) if schedule.phase1.frozen and schedule.head.warm_start else []
    history += phases.run(one, schedule, job.listeners, phases.best_loss(history))
    if second is not None:
        boundary.unfreeze_last(model, schedule.phase2.unfreeze_last, schedule.phase2.align_to_block)
        history += phases.run(_phase(2, model, second, sources, job), schedule, job.listeners, phases.best_loss(history))
    return Outcome(history, phases.best_of(history), unfrozen, computed, time.monotonic() - began)


def _begin_head(model: keras.Model, features: np.ndarray, job: Job) -> None:
    """Set the head by the pooled features (N, width) of the training frames as they are."""
    detector.standardize(model, features)
    if job.train.head.warm_start:
        detector.begin_at(model, *probe.linear(probe.fit(features, job.frames["train"], job.seed)))


def _told(row: Row, job: Job) -> list[Row]:
    for tell in job.listeners:
        tell(row)
    return [row]


def _cuts(model: keras.Model, train: Train) -> tuple[keras.layers.Layer, keras.layers.Layer | None, list[str]]:
    """Return the layer behind which each phase learns (None: no such phase) and the backbone layers that learn; phase 1's are set."""
    if not train.phase1.frozen:
        return model.layers[0], None, [layer.name for layer in detector.backbone_layers(model) if layer.trainable]
    if not train.phase2.unfreeze_last:
        boundary.freeze_backbone(model)
        return boundary.pooling(model), None, []
    unfrozen = boundary.unfreeze_last(model, train.phase2.unfreeze_last, train.phase2.align_to_block)
    second = boundary.find_boundary(model, unfrozen[0])
    boundary.freeze_backbone(model)
    return boundary.pooling(model), second, unfrozen


def _filled(model: keras.Model, layers: list[keras.layers.Layer], job: Job) -> tuple[ActivationCache, int]:
    cache = ActivationCache(model, [layer.name for layer in layers], job.cache, job.train.augment, job.seed, job.workers)
    views = {"train": job.train.activations.views, "val": 1}
    return cache, sum(cache.fill(job.frames[split], views[split]) for split in views)


def _as_they_are(source: Sources, layer: keras.layers.Layer) -> np.ndarray:
    rows = np.arange(len(source.table))
    gather = source.at(layer)
    parts = [rows[at : at + _VALIDATION_BATCH] for at in range(0, len(rows), _VALIDATION_BATCH)]
    return np.concatenate([gather(part, np.zeros_like(part)) for part in parts])


def _phase(number: int, model: keras.Model, layer: keras.layers.Layer, sources: dict[str, Sources], job: Job) -> phases.Phase:
    train = job.train
    schedule = train.phase1 if number == 1 else train.phase2
    seed = 2 * job.seed + number  # the phases show the frames in different orders
    plan = EpochPlan(job.frames["train"], train.batch_size, train.activations.views, schedule.min_steps, seed)
    return phases.Phase(
        number=number,
        schedule=schedule,
        tail=boundary.split(model, layer)[1],
        plan=plan,
        training=stream(plan, sources["train"].at(layer)),
        validation=_validation(sources["val"], layer),
        folder=job.folder / f"phase{number}",
    )


def _validation(source: Sources, layer: keras.layers.Layer) -> tf.data.Dataset:
    return stream(EpochPlan(source.table, _VALIDATION_BATCH, views=1, min_steps=1, seed=0), source.at(layer))
