"""A search for better values of ``train`` before the training, by Keras Tuner. It sees the training and the validation split alone.

The first half of the trials is drawn at random; then a Gaussian process of the objective over the values proposes where its lower
confidence bound is best (Srinivas et al., "Gaussian Process Optimization in the Bandit Setting", 2010).
"""

import io
import json
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.errors import FatalError
from keras_tuner.oracles import BayesianOptimizationOracle
from sklearn.exceptions import ConvergenceWarning

from realframe.config import Params, Range, Train, with_values
from realframe.errors import ParamsError
from realframe.files import write_text
from realframe.training import fit
from realframe.training.callbacks import Listener
from realframe.training.training_job import Job

_BEST = "best.json"
_WORK = "work"
_COMPLETED = "COMPLETED"


@dataclass(frozen=True)
class Trial:
    """A combination that is tried.

    Attributes:
        number: from 1.
        values: by dotted key.
        folder: of its state, from which it goes on after a kill; removed once it is over.
    """

    number: int
    values: dict[str, Any]
    folder: Path


@dataclass(frozen=True)
class Follower:
    """Who follows a trial.

    Attributes:
        epoch: told of each epoch while it runs.
        objective: told what the trial came to.
    """

    epoch: Listener
    objective: Callable[[float], None]


TrialListener = Callable[[Trial], AbstractContextManager[Follower]]
"""Called with each trial; it runs within what is returned."""


def search(params: Params, job: Job, build: Callable[[Train], keras.Model], folder: Path, listen: TrialListener) -> dict[str, Any]:
    """Try combinations of the values in ``run.tune.space``, and return the best one's, by dotted key.

    Each is a training as the detector's own, of a two-phase recipe the first phase. What is compared is ``run.tune.objective`` of the
    epoch that such a training keeps. A search that was killed goes on: finished trials are not run again, one search has one result.

    Args:
        params: the parameters.
        job: the training for which values are sought.
        build: makes an untrained detector.
        folder: where the state of the search is kept; it belongs to this search alone.
        listen: tells who follows a trial.

    Raises:
        ParamsError: no combination came to a finite objective.
        SetupError: the disk has no room for the activations.
    """
    found = folder / _BEST
    if not found.exists():
        _restore(folder)
        with _quiet():
            write_text(found, json.dumps(_best(_Tuner(params, job, build, folder, listen))))
    return dict(json.loads(found.read_text()))


def _best(tuner: "_Tuner") -> dict[str, Any]:
    try:
        tuner.search(verbose=0)
    except FatalError as error:
        raise error.__cause__ or error from None
    best = tuner.oracle.get_best_trials(1)[0]
    if best.status != _COMPLETED:
        reason = f"no combination of it came to a finite {tuner.oracle.objective.name}"
        raise ParamsError("tune.space", reason, "Try lower values of train.phase1.learning_rate.")
    return tuner.values_of(best)


class _Oracle(BayesianOptimizationOracle):
    """Proposes no combination twice, and after a kill those that it would have proposed without."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self._random_state = np.random.RandomState(self.seed + len(self.trials))  # Keras Tuner does not save how far it was drawn
        proposed = super().populate_space(trial_id)
        return self._random_populate_space() if self._duplicate(proposed["values"] or {}) else proposed

    def reload(self) -> None:
        super().reload()
        self.trials: dict[str, Any] = dict(sorted(self.trials.items()))  # the process sums over them, and the order of files is the disk's


class _Tuner(keras_tuner.Tuner):
    """Runs the trials, and keeps its state in folders that appear by a rename, so that none is found half written."""

    def __init__(self, params: Params, job: Job, build: Callable[[Train], keras.Model], folder: Path, listen: TrialListener) -> None:
        self._run, self._job, self._build, self._folder, self._listen = params, job, build, folder, listen
        self._seconds_before, self._began = 0.0, time.monotonic()
        with redirect_stdout(io.StringIO()):  # it prints from where it reloads
            super().__init__(_oracle(params), directory=str(folder), project_name=_WORK)
        if self.oracle.end_order:
            print(f"the search goes on after trial {len(self.oracle.end_order)}", flush=True)

    def get_state(self) -> dict[str, float]:
        return {"seconds": self._seconds()}

    def set_state(self, state: dict[str, float]) -> None:
        self._seconds_before = state["seconds"]

    def save(self) -> None:
        super().save()
        _keep(self._folder)

    def on_search_begin(self) -> None:
        self._stop_if_late()

    def on_trial_begin(self, trial: Any) -> None:
        self.save()

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        try:
            return {self._run.tune.objective: self._trained(self._described(trial))}
        except Exception as error:
            raise FatalError from error  # Keras Tuner would take any other for a bad combination, and go on

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        shutil.rmtree(self._described(trial).folder, ignore_errors=True)
        self._say(trial)
        self._stop_if_late()

    def values_of(self, trial: Any) -> dict[str, Any]:
        """Return a trial's values within their bounds, which Keras Tuner oversteps by a rounding, or by one of an integer."""
        tried = self._run.tune.space
        return {key: _within(value, tried[key]) for key, value in trial.hyperparameters.values.items()}

    def _described(self, trial: Any) -> Trial:
        return Trial(int(trial.trial_id) + 1, self.values_of(trial), self._folder / "trials" / trial.trial_id)

    def _trained(self, trial: Trial) -> float:
        train = with_values(self._run.train, {**trial.values, "train.phase2.unfreeze_last": 0})
        trial.folder.mkdir(parents=True, exist_ok=True)
        with self._listen(trial) as follower:
            job = replace(self._job, train=train, folder=trial.folder, listeners=(follower.epoch,))
            objective = float(fit.fit(self._build(train), job).best[self._run.tune.objective])
            follower.objective(objective)
        return objective

    def _say(self, trial: Any) -> None:
        tune, score, best = self._run.tune, self.oracle.get_trial(trial.trial_id).score, self.oracle.get_best_trials(1)[0].score
        values = "  ".join(f"{key} {value:.4g}" for key, value in self.values_of(trial).items())
        print(f"trial {int(trial.trial_id) + 1}/{tune.trials}  {values}  {tune.objective} {score:.4f}  best {best:.4f}", flush=True)

    def _stop_if_late(self) -> None:
        begun, limit = len(self.oracle.trials), self._run.tune.time_limit_s
        if 0 < begun < self.oracle.max_trials and self._seconds() >= limit:
            print(f"no new trial after {begun} of {self.oracle.max_trials}: tune.time_limit_s {limit:g} is over", flush=True)
            self.oracle.max_trials = begun

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._began


def _oracle(params: Params) -> _Oracle:
    tune = params.tune
    return _Oracle(
        objective=keras_tuner.Objective(tune.objective, "min" if tune.objective == "val_loss" else "max"),
        max_trials=tune.trials,
        num_initial_points=max(2, tune.trials // 2),  # its own three for each key would leave nothing else of a short search
        seed=params.seed + 1,  # it takes 0 for none
        hyperparameters=_space(params),
        max_consecutive_failed_trials=tune.trials + 1,  # a loss that is not finite is a bad combination, no failure
    )


def _space(params: Params) -> keras_tuner.HyperParameters:
    space = keras_tuner.HyperParameters()
    for key, tried in params.tune.space.items():
        kind = type(attrgetter(key)(params))  # int or float
        if isinstance(tried, Range):
            add = space.Int if kind is int else space.Float
            add(key, kind(tried.min), kind(tried.max), sampling="log" if tried.log else "linear")
        else:
            space.Choice(key, [kind(value) for value in tried])
    return space


def _within(value: float, tried: tuple[float, ...] | Range) -> float:
    return type(value)(min(max(value, tried.min), tried.max)) if isinstance(tried, Range) else value


def _keep(folder: Path) -> None:
    kept = sorted(folder.glob("kept-*"))
    staged = folder / "staged"
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(folder / _WORK, staged)
    staged.rename(folder / f"kept-{int(kept[-1].name[5:]) + 1 if kept else 0:05d}")
    for older in kept:
        shutil.rmtree(older)


def _restore(folder: Path) -> None:
    """Bring back the last whole state, if there is one."""
    shutil.rmtree(folder / _WORK, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    whole = max(folder.glob("kept-*"), default=None)
    if whole is not None:
        shutil.copytree(whole, folder / _WORK)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="currentThread|getName", category=DeprecationWarning)  # Keras Tuner 1.4.8
        warnings.filterwarnings("ignore", category=ConvergenceWarning)  # a process of few points
        warnings.filterwarnings("ignore", message="Predicted variances smaller than 0|All-NaN axis encountered")
        yield
