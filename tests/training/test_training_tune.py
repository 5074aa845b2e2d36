"""The search: the best of what was tried is taken, a killed search goes on, and MLflow has every trial below the training's run."""

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
from clip_training import of_clips
from mlflow.tracking import MlflowClient

from realframe import artifacts
from realframe.config import TUNABLE, Params, Resolved, Train, leaves, resolve, with_values
from realframe.data import manifest
from realframe.data.batches import frame_table
from realframe.errors import ParamsError
from realframe.models import detector_network
from realframe.settings import Settings
from realframe.training import clip_training, hyperparameter_search, two_phase
from realframe.training.feature_extraction import extract
from realframe.training.training_job import Job

MakeJob = Callable[..., Job]
RATE = "train.phase1.learning_rate"
SIZE = 48


class PowerCutError(Exception):
    """Ends a search from within."""


@dataclass
class Watched:
    """What a search did: its trials and what each came to; it ends in the trial of that number."""

    stop_in: int = 0
    trials: list[hyperparameter_search.Trial] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    objectives: list[float] = field(default_factory=list)

    @contextmanager
    def listen(self, trial: hyperparameter_search.Trial) -> Iterator[hyperparameter_search.Follower]:
        if trial.number == self.stop_in:
            raise PowerCutError
        self.trials.append(trial)
        yield hyperparameter_search.Follower(self.epochs.append, self.objectives.append)

    @property
    def numbers(self) -> list[int]:
        return [trial.number for trial in self.trials]

    @property
    def values(self) -> list[dict[str, Any]]:
        return [trial.values for trial in self.trials]


def searching(params: Params, trials: int, space: dict[str, Any], epochs: int = 1, **others: Any) -> Params:
    """The parameters with a search, and with few epochs for each training."""
    values = params.model_dump(exclude_none=True)
    values["train"]["phase1"]["epochs"] = epochs
    values["train"]["head"]["warm_start"] = False
    values["tune"] |= {"trials": trials, "space": space, **others}
    return Params.model_validate(values)


def build(train: Train) -> keras.Model:
    return detector_network.open_backbone(train.backbone, "random", SIZE, train.head, 42, Settings())[0]


def never(train: Train) -> keras.Model:
    raise AssertionError("there is nothing left to train")


def test_the_best_of_what_was_tried_is_found(make_job: MakeJob, tiny: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, seen = searching(tiny, 3, {RATE: [1e-6, 1e-4, 1e-2]}), Watched()
    best = hyperparameter_search.search(run, make_job(run), build, tmp_path / "tuning", seen.listen)

    assert sorted(values[RATE] for values in seen.values) == [1e-6, 1e-4, 1e-2]
    assert best == seen.values[seen.objectives.index(min(seen.objectives))] == {RATE: 1e-2}
    assert {row["phase"] for row in seen.epochs} == {1}  # the recipe has a second phase
    assert not any(trial.folder.exists() for trial in seen.trials)

    train = with_values(run.train, {**best, "train.phase2.unfreeze_last": 0})
    outcome = two_phase.fit(build(train), make_job(run, train=train, folder=tmp_path / "by itself"))
    assert outcome.best["val_loss"] == min(seen.objectives)

    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("phase ")]
    lowest = [min(seen.objectives[:number]) for number in (1, 2, 3)]
    assert lines == [
        f"trial {number}/3  {RATE} {values[RATE]:.4g}  val_loss {objective:.4f}  best {low:.4f}"
        for number, values, objective, low in zip((1, 2, 3), seen.values, seen.objectives, lowest, strict=True)
    ]


def test_a_head_of_clips_is_searched_for_the_highest_val_auc(make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    space = {"train.head.units": {"min": 2, "max": 4}, "train.head.dropout": [0, 0.5], RATE: {"min": 1e-6, "max": 1e-1, "log": True}}
    run, seen = searching(of_clips(tiny), 3, space, objective="val_auc"), Watched()
    best = hyperparameter_search.search(run, make_job(run), build, tmp_path / "tuning", seen.listen)

    assert best == seen.values[seen.objectives.index(max(seen.objectives))]
    assert len(set(seen.objectives)) > 1
    for values in seen.values:
        assert values["train.head.units"] in (2, 3, 4)
        assert values["train.head.dropout"] in (0.0, 0.5)
        assert 1e-6 <= values[RATE] <= 1e-1
    train = with_values(run.train, best)
    assert clip_training.fit(build(train), make_job(run, train=train, folder=tmp_path / "by itself")).best["val_auc"] == max(
        seen.objectives
    )


def test_a_killed_search_goes_on_and_ends_as_one_that_was_not(
    make_job: MakeJob, tiny: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = searching(tiny, 4, {"train.head.dropout": {"min": 0.1, "max": 0.9}, RATE: {"min": 1e-4, "max": 1e-1, "log": True}})
    whole, before, after = Watched(), Watched(stop_in=3), Watched()
    best = hyperparameter_search.search(run, make_job(run), build, tmp_path / "whole", whole.listen)
    with pytest.raises(PowerCutError):
        hyperparameter_search.search(run, make_job(run), build, tmp_path / "cut", before.listen)
    (tmp_path / "cut" / "work" / "oracle.json").write_text('{"half')  # a kill amid the writing

    assert hyperparameter_search.search(run, make_job(run), build, tmp_path / "cut", after.listen) == best
    assert (before.numbers, after.numbers) == ([1, 2], [3, 4])
    assert before.values + after.values == whole.values
    assert before.objectives + after.objectives == whole.objectives
    assert "the search goes on after trial 2" in capsys.readouterr().out
    assert hyperparameter_search.search(run, make_job(run), never, tmp_path / "cut", Watched().listen) == best


def test_no_trial_is_begun_once_the_time_is_over(
    make_job: MakeJob, tiny: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, seen = searching(tiny, 4, {RATE: [1e-4, 1e-3, 1e-2, 1e-1]}, time_limit_s=1e-3), Watched()
    assert hyperparameter_search.search(run, make_job(run), build, tmp_path / "tuning", seen.listen) == seen.values[0]
    assert seen.numbers == [1]
    assert "no new trial after 1 of 4: tune.time_limit_s 0.001 is over" in capsys.readouterr().out


def test_a_space_that_is_used_up_ends_the_search(make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    run, seen = searching(tiny, 3, {"train.batch_size": [4, 8]}), Watched()
    hyperparameter_search.search(run, make_job(run), build, tmp_path / "tuning", seen.listen)
    assert sorted(values["train.batch_size"] for values in seen.values) == [4, 8]


def test_a_search_in_which_all_diverges_says_so(make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    run = searching(tiny, 2, {RATE: [1e37, 1e38]})
    with pytest.raises(ParamsError, match=r"tune\.space: no combination of it came to a finite val_loss"):
        hyperparameter_search.search(run, make_job(run), build, tmp_path / "tuning", Watched().listen)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"tune.trials": 2}, ["tune: ", "trials 2", "space names nothing to try"]),
        ({"tune.trials": -1}, ["tune.trials: ", "greater than or equal to 0"]),
        ({"tune.objective": "loss"}, ["tune.objective: ", "'val_loss' or 'val_auc'"]),
        ({"tune.space": {"train.head.kind": ["lstm"]}}, ["train.head.kind", ", ".join(TUNABLE)]),
        ({"tune.space": {"train.head.unit": [3]}}, ["train.head.unit can't", ", ".join(TUNABLE)]),
        ({"tune.space": {"train.batch_size": [8, 0]}}, ["train.batch_size can't be 0", "greater than or equal to 1"]),
        ({"tune.space": {"train.batch_size": [8, 8.5]}}, ["train.batch_size can't be 8.5", "valid integer"]),
        (
            {"tune.space": {"train.head.dropout": {"min": 0.1, "max": 0.95}}},
            ["dropout can't be 0.95", "less than or equal to 0.9"],
        ),
        ({"tune.space": {"train.head.dropout": {"min": 0.5, "max": 0.1}}}, ["train.head.dropout: {'min': 0.5", "not below its max"]),
        ({"tune.space": {"train.head.dropout": {"min": 0, "max": 0.5, "log": True}}}, ["train.head.dropout: ", "min must be above 0"]),
        ({"tune.space": {"train.head.dropout": {"from": 0, "to": 0.5}}}, ["train.head.dropout: ", "{min: , max: , log: true}"]),
        ({"tune.space": {"train.head.units": []}}, ["train.head.units: []", "list of numbers"]),
        ({"tune.space": {"train.head.units": ["many"]}}, ["train.head.units: ['many']", "list of numbers"]),
        ({"tune.space": {"train.head.units": 32}}, ["train.head.units: 32", "list of numbers"]),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(root: Path, overrides: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(ParamsError) as caught:
        resolve(root / "params.yaml", root / "recipes", overrides=overrides)
    assert all(part in str(caught.value) for part in said)


def test_what_can_be_searched_exists_and_the_recipe_for_it_is_kept_when_saved(root: Path, tmp_path: Path) -> None:
    resolved = resolve(root / "params.yaml", root / "recipes", recipe="efficientnetv2b0-bilstm")
    assert set(TUNABLE) <= {key for key, _ in leaves(resolved.params.model_dump())}
    assert resolved.params.tune.trials == 6
    assert resolved.origin["tune.space.train.head.units"].endswith("efficientnetv2b0-bilstm.yaml")
    resolved.save(tmp_path / "params.yaml")
    assert resolve(tmp_path / "params.yaml", root / "recipes", recipe="efficientnetv2b0-bilstm").params == resolved.params


@pytest.fixture
def run_folder(tmp_path: Path, root: Path, splits: pd.DataFrame, clean: Path, tiny: Params) -> Path:
    """A run's folder as the stages before the training leave it, for a search of a head of clips."""
    folder, run = tmp_path / "run", searching(of_clips(tiny), 3, {RATE: [1e-6, 1e-4, 5e-2]}, epochs=2)
    shutil.copytree(clean, folder / artifacts.CLEAN)
    shutil.copytree(root / "pipelines", folder / "pipelines")
    columns = {field.name: field.type for field in manifest.SPLITS}
    hollow = {name: "" if str(kind) == "string" else False if str(kind) == "bool" else 0 for name, kind in columns.items()}
    rows = splits.assign(**{name: value for name, value in hollow.items() if name not in splits})
    manifest.write(rows, folder / artifacts.SPLITS, manifest.SPLITS)
    settings = Settings(home=tmp_path / "home")
    model, weights = detector_network.open_backbone("residual_cnn", "random", SIZE, run.train.head, run.seed, settings)
    frames = {split: frame_table(splits, clean, split) for split in ("train", "val")}
    extract(model, weights, frames, run.train, run.seed, folder / artifacts.FEATURES, settings)
    Resolved(params=run, origin={}).save(folder / artifacts.RESOLVED)
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
            if number == 2:  # amid the second trial
                os.kill(killed.pid, signal.SIGKILL)
    with start(run_folder, home, root) as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "Reloading" not in output  # Keras Tuner's own word

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
        told = client.get_metric_history(trial.info.run_id, "val_loss")
        assert sorted(metric.step for metric in told) == [1, 2]
        assert trial.data.metrics["objective"] == min(metric.value for metric in told)

    assert record["tuned"] == {RATE: min(objectives, key=lambda rate: objectives[rate])}
    assert record["tuning_seconds"] > 0
    assert record["best"]["val_loss"] == pytest.approx(min(objectives.values()), rel=1e-6)
    assert parent.data.params[f"tuned.{RATE}"] == str(record["tuned"][RATE])
    assert parent.data.params[RATE] != parent.data.params[f"tuned.{RATE}"]
    history = pd.read_csv(run_folder / artifacts.HISTORY)
    assert history["learning_rate"].tolist() == pytest.approx(2 * [record["tuned"][RATE]])
    assert list((home / "training").glob("*/")) == []
