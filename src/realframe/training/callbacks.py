"""What happens at the end of each epoch, beside Keras' own callbacks.

The picture of a training: loss, ROC-AUC and learning rate over both phases.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from realframe.data.batches import EpochPlan
from realframe.files import write_text

Row = dict[str, Any]
Listener = Callable[[Row], None]
"""Called with each epoch's row of the history, while training goes on."""

_STATE = {"best", "wait", "cooldown_counter", "best_epoch", "stopped_epoch"}  # of Keras' callbacks
_DRAWS_PER_EPOCH = 1 << 20  # more than an epoch has steps
_STATE_FILE = "state.json"


class FollowPlan(keras.callbacks.Callback):
    """Makes what an epoch shows and what its dropout drops depend on its number, so that training can go on in the middle.

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


class History(keras.callbacks.Callback):
    """Keeps one row per epoch, prints it and tells the listeners.

    Attributes:
        rows: ``phase``, ``epoch`` (from 1), Keras' logs, ``learning_rate``, and ``seconds``.
    """

    def __init__(self, phase: int, epochs: int, listeners: tuple[Listener, ...]) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._phase, self._epochs, self._listeners = phase, epochs, listeners
        self._began = 0.0
        self._rate = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Note when the epoch began and at which rate."""
        self._began = time.monotonic()
        self._rate = float(self.model.optimizer.learning_rate)  # before ReduceLROnPlateau lowers it for the next epoch

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keep, print and tell the epoch's row."""
        measured = {name: float(value) for name, value in (logs or {}).items() if name != "learning_rate"}
        seconds = time.monotonic() - self._began
        row = {"phase": self._phase, "epoch": epoch + 1, **measured, "learning_rate": self._rate, "seconds": seconds}
        self.rows.append(row)
        figures = "  ".join(f"{name} {value:.4f}" for name, value in measured.items())
        print(f"phase {self._phase}  epoch {epoch + 1}/{self._epochs}  {figures}  rate {self._rate:.1e}  {seconds:.1f} s", flush=True)
        for tell in self._listeners:
            tell(row)


class Resume(keras.callbacks.BackupAndRestore):
    """BackupAndRestore that leaves nothing out and is never found half written.

    Keras' callback keeps the model, its optimizer and the epoch. Here the history and what EarlyStopping, ReduceLROnPlateau and
    ModelCheckpoint remember are kept too, and the best weights so far, so that a training that was killed and goes on ends as one that
    was never killed. Each epoch's state is one folder that appears by a rename.

    Args:
        folder: the phase's folder.
        history: the rows so far.
        others: Keras' callbacks whose state is kept; they come before this one.
    """

    def __init__(self, folder: Path, history: History, others: list[keras.callbacks.Callback]) -> None:
        self._folder, self._history, self._others = folder, history, others
        self.work = folder / "work"
        super().__init__(str(self.work), delete_checkpoint=False)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Go back to the end of the last whole epoch, if there is one."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        whole = max(self._folder.glob("epoch-*"), default=None)
        if whole is None:
            return
        shutil.copytree(whole, self.work, dirs_exist_ok=True)
        super().on_train_begin(logs)
        state = json.loads((self.work / _STATE_FILE).read_text())
        self._history.rows[:] = state["history"]
        for callback, kept in zip(self._others, state["callbacks"], strict=True):
            callback.__dict__.update(kept)
        print(f"goes on after epoch {len(self._history.rows)} of phase {self._history.rows[0]['phase']}", flush=True)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keep the state of this epoch."""
        super().on_epoch_end(epoch, logs)
        kept = [_remembered(other) for other in self._others]
        write_text(self.work / _STATE_FILE, json.dumps({"history": self._history.rows, "callbacks": kept}))
        staged = self._folder / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        shutil.copytree(self.work, staged)
        staged.rename(self._folder / f"epoch-{epoch + 1:05d}")
        for older in sorted(self._folder.glob("epoch-*"))[:-1]:
            shutil.rmtree(older)


def _remembered(callback: keras.callbacks.Callback) -> dict[str, float]:
    return {name: float(value) for name, value in vars(callback).items() if name in _STATE and value is not None}


def draw(history: pd.DataFrame) -> Figure:
    """Return the curves of a history (the columns of ``models/history.csv``); a dotted line stands where phase 2 begins."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, auc, rate = figure.subplots(1, 3)
    epochs = _epochs(history)
    for axes, name, title in ((loss, "loss", "binary cross-entropy"), (auc, "auc", "ROC-AUC of frames")):
        axes.plot(epochs, history[name], marker=".", label="training")
        axes.plot(epochs, history[f"val_{name}"], marker=".", label="validation")
        axes.legend()
        _label(axes, title, history)
    best = int(history["val_loss"].argmin())
    loss.plot(epochs[best], history["val_loss"].iloc[best], "o", fillstyle="none", markersize=10, color="black")
    rate.semilogy(epochs, history["learning_rate"], marker=".")
    _label(rate, "learning rate", history)
    return figure


def _label(axes: Axes, title: str, history: pd.DataFrame) -> None:
    axes.set(title=title, xlabel="epoch")
    first = int((history["phase"] == 1).sum())
    if 0 < first < len(history):
        axes.axvline(_epochs(history)[first] - 0.5, linestyle=":", color="grey")


def _epochs(history: pd.DataFrame) -> list[int]:
    """Count the epochs over both phases, from that of the first row: 0 is what the head was worth before it learned."""
    return [int(history["epoch"].iloc[0]) + row for row in range(len(history))]
