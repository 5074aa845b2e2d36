"""One phase of training: a tail of the detector learns until its epochs are over or validation no longer gets better."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from realframe.config import Phase1, Phase2, Train
from realframe.data.batches import EpochPlan
from realframe.files import write_text
from realframe.training.callbacks import FollowPlan, History, Listener, Resume, Row

_DONE = "done"
_BEST = "best.weights.h5"


@dataclass(frozen=True)
class Phase:
    """What one phase needs.

    Attributes:
        number: 1 or 2.
        schedule: its epochs and rates.
        tail: the part of the detector that learns; its layers say by ``trainable`` which of them do.
        plan: what is shown when.
        training: the batches, following ``plan``.
        validation: the batches that choose the best epoch.
        folder: where its state is kept until the training is over.
    """

    number: int
    schedule: Phase1 | Phase2
    tail: keras.Model
    plan: EpochPlan
    training: tf.data.Dataset
    validation: tf.data.Dataset
    folder: Path


def run(phase: Phase, train: Train, listeners: tuple[Listener, ...], best_before: float) -> list[Row]:
    """Train, and leave the tail with its best weights by validation loss, which are those it came with if no epoch was better.

    It goes on where a killed run stopped. The loss is binary cross-entropy, the optimizer AdamW (Loshchilov and Hutter, "Decoupled Weight
    Decay Regularization", 2019) without decay of biases and of what normalizes.

    Args:
        phase: what learns from what.
        train: says when to stop and to lower the rate.
        listeners: told of each epoch while it runs.
        best_before: the lowest validation loss so far.

    Returns:
        The history, one row per epoch, also of the epochs before a kill.
    """
    start = phase.tail.get_weights()
    _compile(phase)
    history = History(phase.number, phase.schedule.epochs, listeners)
    checkpoint, others = _keras_callbacks(train, phase, best_before)
    resume = Resume(phase.folder, history, [checkpoint, *others])
    checkpoint.filepath = str(resume.work / _BEST)
    if (phase.folder / _DONE).exists():
        resume.set_model(phase.tail)
        resume.on_train_begin()
    else:
        phase.tail.fit(
            phase.training,
            validation_data=phase.validation,
            epochs=phase.schedule.epochs,
            shuffle=False,
            callbacks=[FollowPlan(phase.plan), history, checkpoint, *others, resume],
            verbose=0,
        )
        write_text(phase.folder / _DONE, "")
    _take_best(phase.tail, resume.work / _BEST, start)
    return history.rows


def beginning(phase: Phase) -> Row:
    """Return the row of epoch 0: what the tail is worth as it comes to the phase."""
    _compile(phase)
    figures = phase.tail.evaluate(phase.training, verbose=0, return_dict=True)
    figures |= {f"val_{name}": value for name, value in phase.tail.evaluate(phase.validation, verbose=0, return_dict=True).items()}
    return {"phase": phase.number, "epoch": 0, **figures, "learning_rate": phase.schedule.learning_rate, "seconds": 0.0}


def best_loss(history: list[Row]) -> float:
    """Return the lowest validation loss so far; infinite where there is none."""
    return min((row["val_loss"] for row in history), default=float("inf"))


def best_of(history: list[Row]) -> Row:
    """Return the row with the lowest validation loss; the earliest of several."""
    return min(history, key=lambda row: row["val_loss"])


def forget(folder: Path) -> None:
    """Remove what was kept for going on; the training is over."""
    shutil.rmtree(folder, ignore_errors=True)


def _compile(phase: Phase) -> None:
    optimizer = keras.optimizers.AdamW(phase.schedule.learning_rate, weight_decay=phase.schedule.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras.metrics.AUC(name="auc")]
    phase.tail.compile(optimizer, keras.losses.BinaryCrossentropy(), weighted_metrics=metrics)
    optimizer.build(phase.tail.trainable_variables)


def _keras_callbacks(train: Train, phase: Phase, best_before: float) -> tuple[keras.callbacks.ModelCheckpoint, list[Any]]:
    best = keras.callbacks.ModelCheckpoint(
        str(phase.folder / _BEST), save_best_only=True, save_weights_only=True, initial_value_threshold=best_before
    )
    stop = keras.callbacks.EarlyStopping(patience=train.early_stopping)
    lower = keras.callbacks.ReduceLROnPlateau(factor=train.reduce_lr.factor, patience=train.reduce_lr.patience)
    return best, [stop, lower]


def _take_best(tail: keras.Model, best: Path, start: list[Any]) -> None:
    if best.exists():
        tail.load_weights(best)
    else:
        tail.set_weights(start)
