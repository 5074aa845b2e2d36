"""The hyperparameter search: it returns the best trial, resumes after a kill, and logs every trial as a nested MLflow run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from realframe import artifacts
from realframe.config import TUNABLE, Params, ResolvedParams, TrainParams, flatten, replace_train_values, resolve_params
from realframe.data import manifest
from realframe.data.batches import build_frame_table
from realframe.errors import ParamsError
from realframe.models import detector_network
from realframe.settings import Settings
from realframe.training import clip_training, hyperparameter_search, two_phase
from realframe.training.detector_training import extract_features
from realframe.training.training_job import TrainingJob
from tests.training.training_spy import make_clip_params

MakeJob = Callable[..., TrainingJob]
RATE = "train.phase1.learning_rate"
SIZE = 48


class StopSearchError(Exception):
    """Ends a search from within."""


@dataclass
class SearchRecorder:
    """Records the trials and objectives of a search; stops it in the trial number ``stop_in``."""

    stop_in: int = 0
    trials: list[hyperparameter_search.SearchTrial] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    objectives: list[float] = field(default_factory=list)

    @contextmanager
    def open_trial(self, trial: hyperparameter_search.SearchTrial) -> Iterator[hyperparameter_search.TrialListener]:
        if trial.number == self.stop_in:
            raise StopSearchError
        self.trials.append(trial)
        yield hyperparameter_search.TrialListener(self.epochs.append, self.objectives.append)

    @property
    def numbers(self) -> list[int]:
        return [trial.number for trial in self.trials]

    @property
    def values(self) -> list[dict[str, Any]]:
        return [trial.values for trial in self.trials]


def make_search_params(params: Params, trials: int, space: dict[str, Any], epochs: int = 1, **others: Any) -> Params:
    """Make parameters with a search and with few epochs per training."""
    values = params.model_dump(exclude_none=True)
    values["train"]["phase1"]["epochs"] = epochs
    values["train"]["head"]["warm_start"] = False
    values["tune"] |= {"trials": trials, "space": space, **others}
    return Params.model_validate(values)


def build(train: TrainParams) -> keras.Model:
    return detector_network.create_detector(train.backbone, "random", SIZE, train.head, 42, Settings())[0]


def fail_to_build(train: TrainParams) -> keras.Model:
    raise AssertionError("no training is left")


def test_the_search_returns_the_best_trial(make_job: MakeJob, tiny: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, seen = make_search_params(tiny, 3, {RATE: [1e-6, 1e-4, 1e-2]}), SearchRecorder()
    best = hyperparameter_search.search_hyperparameters(run, make_job(run), build, tmp_path / "tuning", seen.open_trial)

    assert sorted(values[RATE] for values in seen.values) == [1e-6, 1e-4, 1e-2]
    assert best == seen.values[seen.objectives.index(min(seen.objectives))] == {RATE: 1e-2}
    assert {row["phase"] for row in seen.epochs} == {1}  # the recipe has a second phase
    assert not any(trial.folder.exists() for trial in seen.trials)

    train = replace_train_values(run.train, {**best, "train.phase2.unfreeze_last": 0})
    outcome = two_phase.train_two_phase(build(train), make_job(run, train=train, state_dir=tmp_path / "single"))
    assert outcome.best["val_loss"] == min(seen.objectives)

    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("phase ")]
    lowest = [min(seen.objectives[:number]) for number in (1, 2, 3)]
    assert lines == [
        f"trial {number}/3  {RATE} {values[RATE]:.4g}  val_loss {objective:.4f}  best {low:.4f}"
        for number, values, objective, low in zip((1, 2, 3), seen.values, seen.objectives, lowest, strict=True)
    ]


def test_a_clip_head_is_searched_for_the_highest_val_auc(make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    space = {"train.head.units": {"min": 2, "max": 4}, "train.head.dropout": [0, 0.5], RATE: {"min": 1e-6, "max": 1e-1, "log": True}}
    run, seen = make_search_params(make_clip_params(tiny), 3, space, objective="val_auc"), SearchRecorder()
    best = hyperparameter_search.search_hyperparameters(run, make_job(run), build, tmp_path / "tuning", seen.open_trial)

    assert best == seen.values[seen.objectives.index(max(seen.objectives))]
    assert len(set(seen.objectives)) > 1
    for values in seen.values:
        assert values["train.head.units"] in (2, 3, 4)
        assert values["train.head.dropout"] in (0.0, 0.5)
        assert 1e-6 <= values[RATE] <= 1e-1
    train = replace_train_values(run.train, best)
    assert clip_training.train_clip_head(build(train), make_job(run, train=train, state_dir=tmp_path / "single")).best["val_auc"] == max(
        seen.objectives
    )


def test_a_killed_search_resumes_and_ends_as_one_that_was_not_killed(
    make_job: MakeJob, tiny: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_search_params(tiny, 4, {"train.head.dropout": {"min": 0.1, "max": 0.9}, RATE: {"min": 1e-4, "max": 1e-1, "log": True}})
    whole, before, after = SearchRecorder(), SearchRecorder(stop_in=3), SearchRecorder()
    best = hyperparameter_search.search_hyperparameters(run, make_job(run), build, tmp_path / "whole", whole.open_trial)
    with pytest.raises(StopSearchError):
        hyperparameter_search.search_hyperparameters(run, make_job(run), build, tmp_path / "cut", before.open_trial)
    (tmp_path / "cut" / "work" / "oracle.json").write_text('{"half')  # killed while writing

    assert hyperparameter_search.search_hyperparameters(run, make_job(run), build, tmp_path / "cut", after.open_trial) == best
    assert (before.numbers, after.numbers) == ([1, 2], [3, 4])
    assert before.values + after.values == whole.values
    assert before.objectives + after.objectives == whole.objectives
    assert "the search resumes after trial 2" in capsys.readouterr().out
    assert (
        hyperparameter_search.search_hyperparameters(run, make_job(run), fail_to_build, tmp_path / "cut", SearchRecorder().open_trial)
        == best
    )


def test_no_trial_starts_after_the_time_limit(make_job: MakeJob, tiny: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, seen = make_search_params(tiny, 4, {RATE: [1e-4, 1e-3, 1e-2, 1e-1]}, time_limit_s=1e-3), SearchRecorder()
    assert hyperparameter_search.search_hyperparameters(run, make_job(run), build, tmp_path / "tuning", seen.open_trial) == seen.values[0]
    assert seen.numbers == [1]
    assert "no new trial after 1 of 4: tune.time_limit_s 0.001 has passed" in capsys.readouterr().out


def test_an_exhausted_space_ends_the_search(make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    run, seen = make_search_params(tiny, 3, {"train.batch_size": [4, 8]}), SearchRecorder()
    hyperparameter_search.search_hyperparameters(run, make_job(run), build, tmp_path / "tuning", seen.open_trial)
    assert sorted(values["train.batch_size"] for values in seen.values) == [4, 8]


def test_a_search_without_a_finite_objective_is_an_error(make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    run = make_search_params(tiny, 2, {RATE: [1e37, 1e38]})
    with pytest.raises(ParamsError, match=r"tune\.space: no combination has a finite val_loss"):
        hyperparameter_search.search_hyperparameters(run, make_job(run), build, tmp_path / "tuning", SearchRecorder().open_trial)


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"tune.trials": 2}, ["tune: ", "trials is 2", "space is empty"]),
        ({"tune.trials": -1}, ["tune.trials: ", "greater than or equal to 0"]),
        ({"tune.objective": "loss"}, ["tune.objective: ", "'val_loss' or 'val_auc'"]),
        ({"tune.space": {"train.head.kind": ["lstm"]}}, ["train.head.kind", ", ".join(TUNABLE)]),
        ({"tune.space": {"train.head.unit": [3]}}, ["train.head.unit cannot be searched", ", ".join(TUNABLE)]),
        ({"tune.space": {"train.batch_size": [8, 0]}}, ["train.batch_size cannot be 0", "greater than or equal to 1"]),
        ({"tune.space": {"train.batch_size": [8, 8.5]}}, ["train.batch_size cannot be 8.5", "valid integer"]),
        (
            {"tune.space": {"train.head.dropout": {"min": 0.1, "max": 0.95}}},
            ["dropout cannot be 0.95", "less than or equal to 0.9"],
        ),
        ({"tune.space": {"train.head.dropout": {"min": 0.5, "max": 0.1}}}, ["train.head.dropout: {'min': 0.5", "not less than its max"]),
        (
            {"tune.space": {"train.head.dropout": {"min": 0, "max": 0.5, "log": True}}},
            ["train.head.dropout: ", "min must be greater than 0"],
        ),
        ({"tune.space": {"train.head.dropout": {"from": 0, "to": 0.5}}}, ["train.head.dropout: ", "{min: , max: , log: true}"]),
        ({"tune.space": {"train.head.units": []}}, ["train.head.units: []", "list of numbers"]),
        ({"tune.space": {"train.head.units": ["many"]}}, ["train.head.units: ['many']", "list of numbers"]),
        ({"tune.space": {"train.head.units": 32}}, ["train.head.units: 32", "list of numbers"]),
    ],
)
def test_a_space_that_cannot_be_searched_is_an_error(root: Path, overrides: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ParamsError) as caught:
        resolve_params(root / "params.yaml", root / "recipes", overrides=overrides)
    assert all(part in str(caught.value) for part in parts)


def test_what_can_be_searched_exists_and_the_recipe_for_it_is_kept_when_saved(root: Path, tmp_path: Path) -> None:
    resolved = resolve_params(root / "params.yaml", root / "recipes", recipe="efficientnetv2b0-bilstm")
    assert set(TUNABLE) <= {key for key, _ in flatten(resolved.params.model_dump())}
    assert resolved.params.tune.trials == 6
    assert resolved.origins["tune.space.train.head.units"].endswith("efficientnetv2b0-bilstm.yaml")
    resolved.save(tmp_path / "params.yaml")
    assert resolve_params(tmp_path / "params.yaml", root / "recipes", recipe="efficientnetv2b0-bilstm").params == resolved.params


@pytest.fixture
def run_folder(tmp_path: Path, root: Path, splits: pd.DataFrame, clean: Path, tiny: Params) -> Path:
    """A run's folder as the stages before the training leave it, for a search of a head of clips."""
    folder, run = tmp_path / "run", make_search_params(make_clip_params(tiny), 3, {RATE: [1e-6, 1e-4, 5e-2]}, epochs=2)
    shutil.copytree(clean, folder / artifacts.CLEAN_FRAMES)
    shutil.copytree(root / "pipelines", folder / "pipelines")
    columns = {field.name: field.type for field in manifest.SPLITS_SCHEMA}
    hollow = {name: "" if str(kind) == "string" else False if str(kind) == "bool" else 0 for name, kind in columns.items()}
    rows = splits.assign(**{name: value for name, value in hollow.items() if name not in splits})
    manifest.write(rows, folder / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    settings = Settings(home=tmp_path / "home")
    model, weights = detector_network.create_detector("residual_cnn", "random", SIZE, run.train.head, run.seed, settings)
    frames = {split: build_frame_table(splits, clean, split) for split in ("train", "val")}
    extract_features(model, weights, frames, run.train, run.seed, folder / artifacts.FEATURES, settings)
    ResolvedParams(params=run, origins={}).save(folder / artifacts.RESOLVED_PARAMS)
    return folder


def start(folder: Path, home: Path, root: Path) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    python_path = os.pathsep.join([str(root / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**inherited, "REALFRAME_ROOT": str(root), "REALFRAME_HOME": str(home), "PYTHONPATH": python_path}
    command = [sys.executable, "-m", "pipelines.train"]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_the_stage_trains_with_the_best_values_and_mlflow_has_the_trials(run_folder: Path, tmp_path: Path, root: Path) -> None:
    home = tmp_path / "home"
    with start(run_folder, home, root) as killed:
        assert killed.stdout is not None
        begun = (line for line in killed.stdout if line.startswith("phase 1  epoch 1/2"))
        for number, _ in enumerate(begun, 1):
            if number == 2:  # during the second trial
                os.kill(killed.pid, signal.SIGKILL)
    with start(run_folder, home, root) as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "Reloading" not in output  # printed by Keras Tuner

    record = json.loads((run_folder / artifacts.TRAINING).read_text())
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("realframe")
    assert experiment is not None
    parent = client.get_run(record["run_id"])
    trials = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{record['run_id']}'")
    objectives = {float(trial.data.params[RATE]): trial.data.metrics["objective"] for trial in trials}
    assert sorted(trial.info.run_name for trial in trials) == ["trial 1", "trial 2", "trial 3"]  # also after the second start
    assert {trial.info.status for trial in trials} == {"FINISHED"}
    for trial in trials:
        rows_seen = client.get_metric_history(trial.info.run_id, "val_loss")
        assert sorted(metric.step for metric in rows_seen) == [1, 2]
        assert trial.data.metrics["objective"] == min(metric.value for metric in rows_seen)

    assert record["tuned"] == {RATE: min(objectives, key=lambda rate: objectives[rate])}
    assert record["tuning_seconds"] > 0
    assert record["best"]["val_loss"] == pytest.approx(min(objectives.values()), rel=1e-6)
    assert parent.data.params[f"tuned.{RATE}"] == str(record["tuned"][RATE])
    assert parent.data.params[RATE] != parent.data.params[f"tuned.{RATE}"]
    history = pd.read_csv(run_folder / artifacts.HISTORY)
    assert history["learning_rate"].tolist() == pytest.approx(2 * [record["tuned"][RATE]])
    assert list((home / "training").glob("*/")) == []
