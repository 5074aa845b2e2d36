"""Keras callbacks of a training: seed each epoch, record its history, and save the state from which a killed training resumes."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from realframe.data.batches import EpochPlan
from realframe.files import write_text

EpochRow = dict[str, Any]
EpochListener = Callable[[EpochRow], None]
"""Called with the row of each epoch during training."""

_STATE_ATTRIBUTES = {"best", "wait", "cooldown_counter", "best_epoch", "stopped_epoch"}  # of Keras' callbacks
_DRAWS_PER_EPOCH = 1 << 20  # more than an epoch has steps
_STATE_FILE = "state.json"


class SeedEpoch(keras.callbacks.Callback):
    """Seeds the order of the frames and the dropout of each epoch by its number, so that training can resume at any epoch.

    Keras saves no random state with the weights.
    """

    def __init__(self, plan: EpochPlan) -> None:
        super().__init__()
        self._plan = plan

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Set the plan's epoch and the counters of the dropout layers."""
        self._plan.epoch = epoch
        for generator in filter(None, (getattr(layer, "seed_generator", None) for layer in self.model.layers)):
            seed, _ = np.asarray(generator.state)
            generator.state.assign(np.array([seed, epoch * _DRAWS_PER_EPOCH], np.uint32))


class EpochHistory(keras.callbacks.Callback):
    """Records one row per epoch, prints it and passes it to the listeners.

    Attributes:
        rows: ``phase``, ``epoch`` (from 1), Keras' logs, ``learning_rate``, and ``seconds``.
    """

    def __init__(self, phase: int, epochs: int, listeners: tuple[EpochListener, ...]) -> None:
        super().__init__()
        self.rows: list[EpochRow] = []
        self._phase, self._epochs, self._listeners = phase, epochs, listeners
        self._start = 0.0
        self._rate = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record the start time and the learning rate of the epoch."""
        self._start = time.monotonic()
        self._rate = float(self.model.optimizer.learning_rate)  # before ReduceLROnPlateau lowers it for the next epoch

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record the row of the epoch, print it and call the listeners."""
        figures = {name: float(value) for name, value in (logs or {}).items() if name != "learning_rate"}
        seconds = time.monotonic() - self._start
        row = {"phase": self._phase, "epoch": epoch + 1, **figures, "learning_rate": self._rate, "seconds": seconds}
        self.rows.append(row)
        text = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        print(f"phase {self._phase}  epoch {epoch + 1}/{self._epochs}  {text}  rate {self._rate:.1e}  {seconds:.1f} s", flush=True)
        for listener in self._listeners:
            listener(row)


class ResumableBackup(keras.callbacks.BackupAndRestore):
    """A BackupAndRestore that saves all state, and replaces it atomically.

    Keras' callback saves the model, its optimizer and the epoch. This one also saves the history, the best weights so far, and the state of
    EarlyStopping, ReduceLROnPlateau and ModelCheckpoint, so that a training that was killed and resumed ends as one that was never killed.
    The state of each epoch is one folder, which a rename completes.

    Args:
        folder: the phase's folder.
        history: the rows so far.
        callbacks: Keras' callbacks whose state is saved; they must precede this one.
    """

    def __init__(self, folder: Path, history: EpochHistory, callbacks: list[keras.callbacks.Callback]) -> None:
        self._folder, self._history, self._saved_callbacks = folder, history, callbacks
        self.work = folder / "work"
        super().__init__(str(self.work), delete_checkpoint=False)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Restore the state of the last complete epoch, if any."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        latest = max(self._folder.glob("epoch-*"), default=None)
        if latest is None:
            return
        shutil.copytree(latest, self.work, dirs_exist_ok=True)
        super().on_train_begin(logs)
        state = json.loads((self.work / _STATE_FILE).read_text())
        self._history.rows[:] = state["history"]
        for callback, attributes in zip(self._saved_callbacks, state["callbacks"], strict=True):
            callback.__dict__.update(attributes)
        print(f"resumes after epoch {len(self._history.rows)} of phase {self._history.rows[0]['phase']}", flush=True)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Save the state of this epoch."""
        super().on_epoch_end(epoch, logs)
        states = [_callback_state(callback) for callback in self._saved_callbacks]
        write_text(self.work / _STATE_FILE, json.dumps({"history": self._history.rows, "callbacks": states}))
        staged = self._folder / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        shutil.copytree(self.work, staged)
        staged.rename(self._folder / f"epoch-{epoch + 1:05d}")
        for older in sorted(self._folder.glob("epoch-*"))[:-1]:
            shutil.rmtree(older)


def _callback_state(callback: keras.callbacks.Callback) -> dict[str, float]:
    return {name: float(value) for name, value in vars(callback).items() if name in _STATE_ATTRIBUTES and value is not None}
