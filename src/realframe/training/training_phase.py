"""Run one phase of training: fit the trainable tail of a detector until its epochs end or validation stops improving."""

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from filelock import FileLock, Timeout

from realframe.config import Phase1Params, Phase2Params, TrainParams
from realframe.data.batches import EpochPlan
from realframe.files import write_text
from realframe.training.callbacks import EpochHistory, EpochListener, EpochRow, ResumableBackup, SeedEpoch

_DONE_FILE = "done"
_BEST_FILE = "best.weights.h5"
_ABANDONED_AFTER_S = 14 * 24 * 3600


@dataclass(frozen=True)
class TrainingPhase:
    """The input of one phase.

    Attributes:
        number: 1 or 2.
        schedule: its epochs and rates.
        tail: the part of the detector that is trained; ``trainable`` of its layers decides which of them.
        plan: the order of the training frames.
        training: the training batches, in the order of ``plan``.
        validation: the batches that select the best epoch.
        state_dir: the folder of its state until the training ends.
    """

    number: int
    schedule: Phase1Params | Phase2Params
    tail: keras.Model
    plan: EpochPlan
    training: tf.data.Dataset
    validation: tf.data.Dataset
    state_dir: Path


def run_phase(phase: TrainingPhase, train: TrainParams, listeners: tuple[EpochListener, ...], best_before: float) -> list[EpochRow]:
    """Train the tail, and restore its best weights by validation loss; its initial weights where no epoch was better.

    A phase that was killed resumes after its last complete epoch. The loss is binary cross-entropy, the optimizer AdamW (Loshchilov and
    Hutter, "Decoupled Weight Decay Regularization", 2019) without decay of biases and normalization parameters.

    Args:
        phase: the tail and its data.
        train: the parameters of early stopping and of the reduction of the learning rate.
        listeners: called with each epoch during training.
        best_before: the lowest validation loss so far.

    Returns:
        The history, one row per epoch, including the epochs before a kill.
    """
    initial_weights = phase.tail.get_weights()
    _compile(phase)
    history = EpochHistory(phase.number, phase.schedule.epochs, listeners)
    checkpoint, others = _make_keras_callbacks(train, phase, best_before)
    backup = ResumableBackup(phase.state_dir, history, [checkpoint, *others])
    checkpoint.filepath = str(backup.work / _BEST_FILE)
    if (phase.state_dir / _DONE_FILE).exists():
        backup.set_model(phase.tail)
        backup.on_train_begin()
    else:
        phase.tail.fit(
            phase.training,
            validation_data=phase.validation,
            epochs=phase.schedule.epochs,
            shuffle=False,
            callbacks=[SeedEpoch(phase.plan), history, checkpoint, *others, backup],
            verbose=0,
        )
        write_text(phase.state_dir / _DONE_FILE, "")
    best_file = backup.work / _BEST_FILE
    if best_file.exists():
        phase.tail.load_weights(best_file)
    else:
        phase.tail.set_weights(initial_weights)
    return history.rows


def evaluate_initial(phase: TrainingPhase) -> EpochRow:
    """Return the row of epoch 0: the figures of the tail before the phase."""
    _compile(phase)
    figures = phase.tail.evaluate(phase.training, verbose=0, return_dict=True)
    figures |= {f"val_{name}": value for name, value in phase.tail.evaluate(phase.validation, verbose=0, return_dict=True).items()}
    return {"phase": phase.number, "epoch": 0, **figures, "learning_rate": phase.schedule.learning_rate, "seconds": 0.0}


def lowest_val_loss(history: list[EpochRow]) -> float:
    """Return the lowest validation loss so far; infinite for an empty history."""
    return min((row["val_loss"] for row in history), default=float("inf"))


def best_epoch(history: list[EpochRow]) -> EpochRow:
    """Return the row with the lowest validation loss; the earliest of equal ones."""
    return min(history, key=lambda row: row["val_loss"])


def delete_state(folder: Path) -> None:
    """Delete the state of a training that has ended."""
    shutil.rmtree(folder, ignore_errors=True)


def delete_abandoned_states(root: Path) -> None:
    """Delete the states in ``root`` of trainings that were killed and not resumed for two weeks.

    Mostly the code, the data or the parameters have changed since, so that no training can resume from them.
    """
    for folder in [path for path in root.glob("*") if path.is_dir()]:
        newest = max((path.stat().st_mtime for path in folder.rglob("*")), default=folder.stat().st_mtime)
        if time.time() - newest > _ABANDONED_AFTER_S:
            with suppress(Timeout), FileLock(folder.with_suffix(".lock"), timeout=0):
                delete_state(folder)


def _compile(phase: TrainingPhase) -> None:
    optimizer = keras.optimizers.AdamW(phase.schedule.learning_rate, weight_decay=phase.schedule.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras.metrics.AUC(name="auc")]
    phase.tail.compile(optimizer, keras.losses.BinaryCrossentropy(), weighted_metrics=metrics)
    optimizer.build(phase.tail.trainable_variables)


def _make_keras_callbacks(
    train: TrainParams, phase: TrainingPhase, best_before: float
) -> tuple[keras.callbacks.ModelCheckpoint, list[Any]]:
    checkpoint = keras.callbacks.ModelCheckpoint(
        str(phase.state_dir / _BEST_FILE), save_best_only=True, save_weights_only=True, initial_value_threshold=best_before
    )
    early_stopping = keras.callbacks.EarlyStopping(patience=train.early_stopping)
    reduce_lr = keras.callbacks.ReduceLROnPlateau(factor=train.reduce_lr.factor, patience=train.reduce_lr.patience)
    return checkpoint, [early_stopping, reduce_lr]
