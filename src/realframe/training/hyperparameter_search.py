"""Search for better hyperparameters (values of ``train``) before the training, with Keras Tuner, on the train and val splits alone.

The first half of the trials is random. Then a Gaussian process of the objective proposes the values with the best lower confidence bound
(Srinivas et al., "Gaussian Process Optimization in the Bandit Setting", 2010).
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

from realframe.config import Params, SearchRange, TrainParams, replace_train_values
from realframe.errors import ParamsError
from realframe.files import write_text
from realframe.training import detector_training
from realframe.training.callbacks import EpochListener
from realframe.training.training_job import TrainingJob

_BEST_FILE = "best.json"
_WORK_FOLDER = "work"
_STATE_PREFIX = "state-"
_COMPLETED = "COMPLETED"


@dataclass(frozen=True)
class SearchTrial:
    """One combination of values.

    Attributes:
        number: from 1.
        values: by dotted key.
        folder: the folder of the state from which it resumes after a kill; deleted when it ends.
    """

    number: int
    values: dict[str, Any]
    folder: Path


@dataclass(frozen=True)
class TrialListener:
    """The listener of a trial.

    Attributes:
        on_epoch: called with each epoch during the trial.
        on_objective: called with the objective of the trial at its end.
    """

    on_epoch: EpochListener
    on_objective: Callable[[float], None]


OpenTrial = Callable[[SearchTrial], AbstractContextManager[TrialListener]]
"""Called with each trial; returns the context manager in which the trial runs."""


def search_hyperparameters(
    params: Params, job: TrainingJob, build: Callable[[TrainParams], keras.Model], folder: Path, open_trial: OpenTrial
) -> dict[str, Any]:
    """Try combinations of the values in ``params.tune.space``, and return the best one by dotted key.

    Each trial is a training of the detector; of a two-phase recipe, the first phase. Trials are compared by ``params.tune.objective`` of
    their best epoch. A search that was killed resumes: finished trials are not repeated, and the result is the same.

    Args:
        params: the parameters.
        job: the training job.
        build: builds an untrained detector.
        folder: the folder of the state of this search.
        open_trial: opens each trial and returns its listener.

    Raises:
        ParamsError: no combination has a finite objective.
        SetupError: the disk is too full for the activations.
    """
    best_file = folder / _BEST_FILE
    if not best_file.exists():
        _restore_state(folder)
        with _suppress_warnings():
            write_text(best_file, json.dumps(_run_search(_Tuner(params, job, build, folder, open_trial))))
    return dict(json.loads(best_file.read_text()))


def _run_search(tuner: "_Tuner") -> dict[str, Any]:
    try:
        tuner.search(verbose=0)
    except FatalError as error:
        raise error.__cause__ or error from None
    best = tuner.oracle.get_best_trials(1)[0]
    if best.status != _COMPLETED:
        reason = f"no combination has a finite {tuner.oracle.objective.name}"
        raise ParamsError("tune.space", reason, "Try lower values of train.phase1.learning_rate.")
    return tuner.get_values(best)


class _Oracle(BayesianOptimizationOracle):
    """Proposes no combination twice, and the same combinations after a kill as without it."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self._random_state = np.random.RandomState(self.seed + len(self.trials))  # Keras Tuner does not save its random state
        proposed = super().populate_space(trial_id)
        return self._random_populate_space() if self._duplicate(proposed["values"] or {}) else proposed

    def reload(self) -> None:
        super().reload()
        self.trials: dict[str, Any] = dict(sorted(self.trials.items()))  # the order of the trials changes the sums of the process


class _Tuner(keras_tuner.Tuner):
    """Runs the trials, and saves its state in folders that a rename completes."""

    def __init__(
        self, params: Params, job: TrainingJob, build: Callable[[TrainParams], keras.Model], folder: Path, open_trial: OpenTrial
    ) -> None:
        self._params, self._job, self._build, self._folder, self._open_trial = params, job, build, folder, open_trial
        self._seconds_before, self._start = 0.0, time.monotonic()
        with redirect_stdout(io.StringIO()):  # Keras Tuner prints the path that it reloads
            super().__init__(_oracle(params), directory=str(folder), project_name=_WORK_FOLDER)
        if self.oracle.end_order:
            print(f"the search resumes after trial {len(self.oracle.end_order)}", flush=True)

    def get_state(self) -> dict[str, float]:
        return {"seconds": self._seconds()}

    def set_state(self, state: dict[str, float]) -> None:
        self._seconds_before = state["seconds"]

    def save(self) -> None:
        super().save()
        _save_state(self._folder)

    def on_search_begin(self) -> None:
        self._stop_after_time_limit()

    def on_trial_begin(self, trial: Any) -> None:
        self.save()

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        try:
            return {self._params.tune.objective: self._train(self._make_trial(trial))}
        except Exception as error:
            raise FatalError from error  # Keras Tuner treats any other error as a bad combination, and continues

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        shutil.rmtree(self._make_trial(trial).folder, ignore_errors=True)
        self._print_trial(trial)
        self._stop_after_time_limit()

    def get_values(self, trial: Any) -> dict[str, Any]:
        """Return a trial's values within their bounds, which Keras Tuner exceeds by rounding, or by one for integers."""
        space = self._params.tune.space
        return {key: _clip(value, space[key]) for key, value in trial.hyperparameters.values.items()}

    def _make_trial(self, trial: Any) -> SearchTrial:
        return SearchTrial(int(trial.trial_id) + 1, self.get_values(trial), self._folder / "trials" / trial.trial_id)

    def _train(self, trial: SearchTrial) -> float:
        train = replace_train_values(self._params.train, {**trial.values, "train.phase2.unfreeze_last": 0})
        trial.folder.mkdir(parents=True, exist_ok=True)
        with self._open_trial(trial) as listener:
            job = replace(self._job, train=train, state_dir=trial.folder, listeners=(listener.on_epoch,))
            objective = float(detector_training.train_detector(self._build(train), job).best[self._params.tune.objective])
            listener.on_objective(objective)
        return objective

    def _print_trial(self, trial: Any) -> None:
        tune, score, best = self._params.tune, self.oracle.get_trial(trial.trial_id).score, self.oracle.get_best_trials(1)[0].score
        values = "  ".join(f"{key} {value:.4g}" for key, value in self.get_values(trial).items())
        print(f"trial {int(trial.trial_id) + 1}/{tune.trials}  {values}  {tune.objective} {score:.4f}  best {best:.4f}", flush=True)

    def _stop_after_time_limit(self) -> None:
        started, limit = len(self.oracle.trials), self._params.tune.time_limit_s
        if 0 < started < self.oracle.max_trials and self._seconds() >= limit:
            print(f"no new trial after {started} of {self.oracle.max_trials}: tune.time_limit_s {limit:g} has passed", flush=True)
            self.oracle.max_trials = started

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._start


def _oracle(params: Params) -> _Oracle:
    tune = params.tune
    return _Oracle(
        objective=keras_tuner.Objective(tune.objective, "min" if tune.objective == "val_loss" else "max"),
        max_trials=tune.trials,
        num_initial_points=max(2, tune.trials // 2),  # the default of three per key would use up a short search
        seed=params.seed + 1,  # Keras Tuner treats 0 as no seed
        hyperparameters=_space(params),
        max_consecutive_failed_trials=tune.trials + 1,  # a loss that is not finite is a bad combination, not a failure
    )


def _space(params: Params) -> keras_tuner.HyperParameters:
    space = keras_tuner.HyperParameters()
    for key, candidates in params.tune.space.items():
        kind = type(attrgetter(key)(params))  # int or float
        if isinstance(candidates, SearchRange):
            add = space.Int if kind is int else space.Float
            add(key, kind(candidates.min), kind(candidates.max), sampling="log" if candidates.log else "linear")
        else:
            space.Choice(key, [kind(value) for value in candidates])
    return space


def _clip(value: float, candidates: tuple[float, ...] | SearchRange) -> float:
    return type(value)(min(max(value, candidates.min), candidates.max)) if isinstance(candidates, SearchRange) else value


def _save_state(folder: Path) -> None:
    states = sorted(folder.glob(f"{_STATE_PREFIX}*"))
    staged = folder / "staged"
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(folder / _WORK_FOLDER, staged)
    number = int(states[-1].name.removeprefix(_STATE_PREFIX)) + 1 if states else 0
    staged.rename(folder / f"{_STATE_PREFIX}{number:05d}")
    for older in states:
        shutil.rmtree(older)


def _restore_state(folder: Path) -> None:
    """Restore the last complete state, if any."""
    shutil.rmtree(folder / _WORK_FOLDER, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    latest = max(folder.glob(f"{_STATE_PREFIX}*"), default=None)
    if latest is not None:
        shutil.copytree(latest, folder / _WORK_FOLDER)


@contextmanager
def _suppress_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="currentThread|getName", category=DeprecationWarning)  # Keras Tuner 1.4.8
        warnings.filterwarnings("ignore", category=ConvergenceWarning)  # a Gaussian process of few points
        warnings.filterwarnings("ignore", message="Predicted variances smaller than 0|All-NaN axis encountered")
        yield
