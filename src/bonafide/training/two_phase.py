"""The schedule: the head alone on a frozen backbone, then the backbone's last layers with it. Validation alone chooses what is kept.

Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018), gradual unfreezing; Kumar et al., "Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution" (2022): why the head must have converged before the backbone moves, and
why it begins at the linear probe.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import pandas as pd
import tensorflow as tf

from bonafide.dataset.batches import EpochPlan, FrameReader, Gather, stream
from bonafide.models import boundary, detector, probe
from bonafide.models.activations import ActivationCache
from bonafide.params import Train
from bonafide.training import phase as phases
from bonafide.training import smote
from bonafide.training.callbacks import Row
from bonafide.training.job import Job, Outcome
from bonafide.training.sources import Sources

_VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Shown:
    """The rows that training goes through, and what turns a gather of the frames into one of these rows."""

    table: pd.DataFrame
    over: Callable[[Gather], Gather]


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
    shown = _shown(job)
    readers = {split: FrameReader(table, job.workers) for split, table in job.frames.items()}
    sources = {split: Sources(job.frames[split], model, schedule.augment, job.seed, readers[split], cache) for split in readers}
    if schedule.phase1.frozen:
        _begin_head(model, job)
    one = _phase(1, model, first, sources, shown, job)
    history = _told(phases.beginning(one), job) if schedule.phase1.frozen and schedule.head.warm_start else []
    history += phases.run(one, schedule, job.listeners, phases.best_loss(history))
    if second is not None:
        boundary.unfreeze_last(model, schedule.phase2.unfreeze_last, schedule.phase2.align_to_block)
        two = _phase(2, model, second, sources, shown, job)
        history += phases.run(two, schedule, job.listeners, phases.best_loss(history))
    return Outcome(history, phases.best_of(history), unfrozen, computed, time.monotonic() - began)


def cached_layers(model: keras.Model, train: Train) -> list[str]:
    """Return the names of the layers whose activations the training of ``model`` reads, the pooling always among them."""
    if train.head.sequential or not train.activations.cache:
        return [boundary.pooling(model).name]
    first, second, _ = _cuts(model, train)
    return [layer.name for layer in (first, second) if layer is not None]


def _shown(job: Job) -> Shown:
    """Return what training shows: the frames, and with SMOTE those of the synthetic items too."""
    frames = job.frames["train"]
    if not job.smote:
        return Shown(frames, lambda gather: gather)
    items = frames.drop_duplicates("media_id")
    between = smote.synthetic_items(job.features.means(items["media_id"]), items["label"].to_numpy() == 1, job.seed)
    table, rows, shares = smote.with_synthetic_frames(frames, between)
    return Shown(table, lambda gather: smote.interpolated(gather, rows, shares))


def _begin_head(model: keras.Model, job: Job) -> None:
    """Set the head by the pooled features of the training frames as they are."""
    features = job.features.of_frames(job.frames["train"])
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


def _phase(number: int, model: keras.Model, layer: keras.layers.Layer, sources: dict[str, Sources], shown: Shown, job: Job) -> phases.Phase:
    train = job.train
    schedule = train.phase1 if number == 1 else train.phase2
    seed = 2 * job.seed + number  # the phases show the frames in different orders
    plan = EpochPlan(shown.table, train.batch_size, train.activations.views, schedule.min_steps, seed)
    return phases.Phase(
        number=number,
        schedule=schedule,
        tail=boundary.split(model, layer)[1],
        plan=plan,
        training=stream(plan, shown.over(sources["train"].at(layer))),
        validation=_validation(sources["val"], layer),
        folder=job.folder / f"phase{number}",
    )


def _validation(source: Sources, layer: keras.layers.Layer) -> tf.data.Dataset:
    return stream(EpochPlan(source.table, _VALIDATION_BATCH, views=1, min_steps=1, seed=0), source.at(layer))
