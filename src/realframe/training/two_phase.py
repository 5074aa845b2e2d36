"""Train a detector of frames in two phases: the head alone on a frozen backbone, then the last layers of the backbone with it.

The validation split selects the epoch that is kept. Gradual unfreezing: Howard and Ruder, "Universal Language Model Fine-tuning for Text
Classification" (2018). Why the head must converge before the backbone changes, and why the linear probe initializes it: Kumar et al.,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution" (2022).

The inputs of the trainable tail are activations of the frozen layers, from the cache or computed from the pixels at each use. The results
are the same.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from realframe.config import AugmentParams, TrainParams
from realframe.data.batches import EpochPlan, FrameReader, Gather, build_tf_dataset
from realframe.models import detector_network, freezing, linear_probe
from realframe.models.activations import ActivationCache
from realframe.models.augment import augment_frames
from realframe.training import smote, training_phase
from realframe.training.callbacks import EpochRow
from realframe.training.training_job import TrainingJob, TrainingOutcome
from realframe.training.training_phase import TrainingPhase

_VALIDATION_BATCH = 64


@dataclass(frozen=True)
class InputSource:
    """The inputs of the frames of one table at a layer of the detector.

    Attributes:
        table: the frames.
        detector: its network below the layer must be untrained and stay so.
        augment: the augmentation of the views.
        seed: seed of the augmentation.
        reader: decodes the frames.
        cache: the cache of activations; None computes them at each use.
    """

    table: pd.DataFrame
    detector: keras.Model
    augment: AugmentParams
    seed: int
    reader: FrameReader
    cache: ActivationCache | None

    def gather_at(self, layer: keras.layers.Layer) -> Gather:
        """Return a gather of the outputs of ``layer``, float32, for rows of the table in some views."""
        cache = self.cache
        if cache is not None:
            return lambda rows, views: cache.gather(layer.name, self.table, rows, views)
        if isinstance(layer, keras.layers.InputLayer):
            return self._gather_frames
        bottom = freezing.split_network(self.detector, layer)[0]
        return lambda rows, views: np.asarray(bottom.predict_on_batch(self._gather_frames(rows, views)))

    def _gather_frames(self, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        return augment_frames(self.reader.read(rows), self.table.iloc[rows], views, self.augment, self.seed)


@dataclass(frozen=True)
class TrainingRows:
    """The rows of an epoch: frames, and with SMOTE synthetic frames.

    Attributes:
        table: the rows.
        adapt: turns a gather for the frames into one for these rows.
    """

    table: pd.DataFrame
    adapt: Callable[[Gather], Gather]


def train_two_phase(model: keras.Model, job: TrainingJob) -> TrainingOutcome:
    """Train an untrained detector in place, by the schedule of ``job.train``.

    Raises:
        SetupError: the disk is too full for the activations.
    """
    start = time.monotonic()
    train = job.train
    first_cut, second_cut, unfrozen = _find_cut_layers(model, train)
    cut_layers = [layer for layer in (first_cut, second_cut) if layer is not None]
    cache, computed = _fill_cache(model, cut_layers, job) if train.activations.cache else (None, 0)
    rows = _make_training_rows(job)
    readers = {split: FrameReader(table, job.workers) for split, table in job.frames.items()}
    sources = {split: InputSource(job.frames[split], model, train.augment, job.seed, readers[split], cache) for split in readers}

    if train.phase1.frozen:
        freezing.freeze_backbone(model)
        _initialize_head(model, job)
    phase1 = _make_phase(1, model, first_cut, sources, rows, job)
    history = [_evaluate_initial(phase1, job)] if train.phase1.frozen and train.head.warm_start else []
    history += training_phase.run_phase(phase1, train, job.listeners, training_phase.lowest_val_loss(history))

    if second_cut is not None:
        freezing.unfreeze_last(model, train.phase2.unfreeze_last, train.phase2.align_to_block)
        phase2 = _make_phase(2, model, second_cut, sources, rows, job)
        history += training_phase.run_phase(phase2, train, job.listeners, training_phase.lowest_val_loss(history))
    return TrainingOutcome(history, training_phase.best_epoch(history), unfrozen, computed, time.monotonic() - start)


def cached_layers(model: keras.Model, train: TrainParams) -> list[str]:
    """Return the names of the layers whose activations the training reads; the pooling layer is always among them."""
    if train.head.scores_clips or not train.activations.cache:
        return [freezing.get_pooling_layer(model).name]
    first_cut, second_cut, _ = _find_cut_layers(model, train)
    return [layer.name for layer in (first_cut, second_cut) if layer is not None]


def _find_cut_layers(model: keras.Model, train: TrainParams) -> tuple[keras.layers.Layer, keras.layers.Layer | None, list[str]]:
    """Return the layer after which the tail of each phase starts (None: no phase 2), and the names of the trained backbone layers."""
    if not train.phase1.frozen:
        return model.layers[0], None, [layer.name for layer in freezing.get_backbone_layers(model) if layer.trainable]
    pooling = freezing.get_pooling_layer(model)
    if not train.phase2.unfreeze_last:
        return pooling, None, []
    unfrozen = freezing.find_last_layers(model, train.phase2.unfreeze_last, train.phase2.align_to_block)
    return pooling, freezing.find_cut_layer(model, unfrozen[0]), unfrozen


def _fill_cache(model: keras.Model, layers: list[keras.layers.Layer], job: TrainingJob) -> tuple[ActivationCache, int]:
    names = [layer.name for layer in layers]
    cache = ActivationCache(model, names, job.cache_dir, job.cache_limit_bytes, job.train.augment, job.seed, job.workers)
    views = {"train": job.train.activations.views, "val": 1}
    return cache, sum(cache.fill(job.frames[split], views[split]) for split in views)


def _make_training_rows(job: TrainingJob) -> TrainingRows:
    frames = job.frames["train"]
    if not job.use_smote:
        return TrainingRows(frames, lambda gather: gather)
    items = frames.drop_duplicates("media_id")
    synthetic = smote.make_synthetic_items(job.features.load_means(items["media_id"]), items["label"].to_numpy() == 1, job.seed)
    table, rows, shares = smote.add_synthetic_frames(frames, synthetic)
    return TrainingRows(table, lambda gather: smote.interpolate_inputs(gather, rows, shares))


def _initialize_head(model: keras.Model, job: TrainingJob) -> None:
    """Fit the head's standardization, and with warm start its weights, to the pooled features of the training frames."""
    features = job.features.load_frames(job.frames["train"])
    detector_network.fit_standardization(model, features)
    if job.train.head.warm_start:
        probe = linear_probe.fit_probe(features, job.frames["train"], job.seed)
        detector_network.initialize_head(model, *linear_probe.get_coefficients(probe))


def _evaluate_initial(phase: TrainingPhase, job: TrainingJob) -> EpochRow:
    row = training_phase.evaluate_initial(phase)
    for listener in job.listeners:
        listener(row)
    return row


def _make_phase(
    number: int, model: keras.Model, layer: keras.layers.Layer, sources: dict[str, InputSource], rows: TrainingRows, job: TrainingJob
) -> TrainingPhase:
    train = job.train
    schedule = train.phase1 if number == 1 else train.phase2
    seed = 2 * job.seed + number  # the phases show the frames in different orders
    plan = EpochPlan(rows.table, train.batch_size, train.activations.views, schedule.min_steps, seed)
    return TrainingPhase(
        number=number,
        schedule=schedule,
        tail=freezing.split_network(model, layer)[1],
        plan=plan,
        training=build_tf_dataset(plan, rows.adapt(sources["train"].gather_at(layer))),
        validation=_make_validation_dataset(sources["val"], layer),
        state_dir=job.state_dir / f"phase{number}",
    )


def _make_validation_dataset(source: InputSource, layer: keras.layers.Layer) -> tf.data.Dataset:
    return build_tf_dataset(EpochPlan(source.table, _VALIDATION_BATCH, views=1, min_steps=1, seed=0), source.gather_at(layer))
