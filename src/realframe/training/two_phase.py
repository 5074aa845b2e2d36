"""Where the trainable tail's inputs come from: the cache of activations, or the pixels anew each time. Both give the same.

The schedule: the head alone on a frozen backbone, then the backbone's last layers with it. Validation alone chooses what is kept.

Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018), gradual unfreezing; Kumar et al., "Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution" (2022): why the head must have converged before the backbone moves, and
why it begins at the linear probe.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from realframe.config import Augment, Train
from realframe.data.batches import EpochPlan, FrameReader, Gather, stream
from realframe.models import detector_network, freezing, linear_probe
from realframe.models.activations import ActivationCache
from realframe.models.augment import augment
from realframe.training import smote
from realframe.training import training_phase as phases
from realframe.training.callbacks import Row
from realframe.training.training_job import Job, Outcome


@dataclass(frozen=True)
class Sources:
    """Gives inputs for the frames of one table at a layer of the detector.

    Attributes:
        table: the frames.
        detector: the network below the layer must not have been trained yet, or not be trained at all.
        augment: the changes of the views.
        seed: of those changes.
        reader: decodes the frames.
        cache: where activations are kept; None computes them anew each time.
    """

    table: pd.DataFrame
    detector: keras.Model
    augment: Augment
    seed: int
    reader: FrameReader
    cache: ActivationCache | None

    def at(self, layer: keras.layers.Layer) -> Gather:
        """Return what gives the outputs of ``layer``, float32, for rows of the table in given views."""
        cache = self.cache
        if cache is not None:
            return lambda rows, views: cache.gather(layer.name, self.table, rows, views)
        if isinstance(layer, keras.layers.InputLayer):
            return self._frames
        bottom = freezing.split(self.detector, layer)[0]
        return lambda rows, views: np.asarray(bottom.predict_on_batch(self._frames(rows, views)))

    def _frames(self, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        return augment(self.reader.read(rows), self.table.iloc[rows], views, self.augment, self.seed)


_VALIDATION_BATCH = 64


@dataclass(frozen=True)
class TrainingRows:
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
        freezing.unfreeze_last(model, schedule.phase2.unfreeze_last, schedule.phase2.align_to_block)
        two = _phase(2, model, second, sources, shown, job)
        history += phases.run(two, schedule, job.listeners, phases.best_loss(history))
    return Outcome(history, phases.best_of(history), unfrozen, computed, time.monotonic() - began)


def cached_layers(model: keras.Model, train: Train) -> list[str]:
    """Return the names of the layers whose activations the training of ``model`` reads, the pooling always among them."""
    if train.head.sequential or not train.activations.cache:
        return [freezing.pooling(model).name]
    first, second, _ = _cuts(model, train)
    return [layer.name for layer in (first, second) if layer is not None]


def _shown(job: Job) -> TrainingRows:
    """Return what training shows: the frames, and with SMOTE those of the synthetic items too."""
    frames = job.frames["train"]
    if not job.smote:
        return TrainingRows(frames, lambda gather: gather)
    items = frames.drop_duplicates("media_id")
    between = smote.synthetic_items(job.features.means(items["media_id"]), items["label"].to_numpy() == 1, job.seed)
    table, rows, shares = smote.with_synthetic_frames(frames, between)
    return TrainingRows(table, lambda gather: smote.interpolated(gather, rows, shares))


def _begin_head(model: keras.Model, job: Job) -> None:
    """Set the head by the pooled features of the training frames as they are."""
    features = job.features.of_frames(job.frames["train"])
    detector_network.standardize(model, features)
    if job.train.head.warm_start:
        detector_network.begin_at(model, *linear_probe.linear(linear_probe.fit(features, job.frames["train"], job.seed)))


def _told(row: Row, job: Job) -> list[Row]:
    for tell in job.listeners:
        tell(row)
    return [row]


def _cuts(model: keras.Model, train: Train) -> tuple[keras.layers.Layer, keras.layers.Layer | None, list[str]]:
    """Return the layer behind which each phase learns (None: no such phase) and the backbone layers that learn; phase 1's are set."""
    if not train.phase1.frozen:
        return model.layers[0], None, [layer.name for layer in detector_network.backbone_layers(model) if layer.trainable]
    if not train.phase2.unfreeze_last:
        freezing.freeze_backbone(model)
        return freezing.pooling(model), None, []
    unfrozen = freezing.unfreeze_last(model, train.phase2.unfreeze_last, train.phase2.align_to_block)
    second = freezing.find_boundary(model, unfrozen[0])
    freezing.freeze_backbone(model)
    return freezing.pooling(model), second, unfrozen


def _filled(model: keras.Model, layers: list[keras.layers.Layer], job: Job) -> tuple[ActivationCache, int]:
    cache = ActivationCache(model, [layer.name for layer in layers], job.cache, job.train.augment, job.seed, job.workers)
    views = {"train": job.train.activations.views, "val": 1}
    return cache, sum(cache.fill(job.frames[split], views[split]) for split in views)


def _phase(
    number: int, model: keras.Model, layer: keras.layers.Layer, sources: dict[str, Sources], shown: TrainingRows, job: Job
) -> phases.Phase:
    train = job.train
    schedule = train.phase1 if number == 1 else train.phase2
    seed = 2 * job.seed + number  # the phases show the frames in different orders
    plan = EpochPlan(shown.table, train.batch_size, train.activations.views, schedule.min_steps, seed)
    return phases.Phase(
        number=number,
        schedule=schedule,
        tail=freezing.split(model, layer)[1],
        plan=plan,
        training=stream(plan, shown.over(sources["train"].at(layer))),
        validation=_validation(sources["val"], layer),
        folder=job.folder / f"phase{number}",
    )


def _validation(source: Sources, layer: keras.layers.Layer) -> tf.data.Dataset:
    return stream(EpochPlan(source.table, _VALIDATION_BATCH, views=1, min_steps=1, seed=0), source.at(layer))
