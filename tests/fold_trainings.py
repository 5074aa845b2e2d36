"""Record the trainings of the stages that hold out a part of the dataset, and interrupt them."""

import shutil
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import pytest

from realframe.config import Params
from realframe.training import detector_training
from realframe.training.training_job import TrainingJob, TrainingOutcome
from tests.small_run import SmallRun


class PowerCutError(Exception):
    """Simulates a power cut during a stage."""


class TrainingSpy:
    """Records each training job and outcome, and fails once ``allowed`` trainings are done."""

    def __init__(self, allowed: int = 99) -> None:
        self.jobs: list[TrainingJob] = []
        self.outcomes: list[TrainingOutcome] = []
        self._allowed, self._fit = allowed, detector_training.train_detector

    def __call__(self, model: keras.Model, job: TrainingJob) -> TrainingOutcome:
        if len(self.jobs) == self._allowed:
            raise PowerCutError
        self.jobs.append(job)
        self.outcomes.append(self._fit(model, job))
        return self.outcomes[-1]

    def run_stage(self, small: SmallRun, stage: str, output: Path, params: Params | None = None) -> pd.DataFrame:
        """Run a stage and return the table that it writes."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(detector_training, "train_detector", self)
            small.run_stage(stage, params)
        return pd.read_parquet(small.folder / output)


def set_evaluate_params(params: Params, **changed: Any) -> Params:
    return params.model_copy(update={"evaluate": params.evaluate.model_copy(update=changed)})


def copy_run(small: SmallRun, folder: Path) -> SmallRun:
    """Copy a run to another folder with its own state folder."""
    shutil.copytree(small.folder, folder / "run", ignore=shutil.ignore_patterns("training"))
    run = folder / "run"
    return SmallRun(run, small.params, small.splits, small.settings.model_copy(update={"root": run, "home": run / "state"}))
