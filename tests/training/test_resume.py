"""Resuming: a training that is killed and restarted ends as one that was never killed."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from realframe.config import Params
from realframe.training import training_phase, two_phase
from realframe.training.training_job import TrainingJob

Network, MakeJob, Changed = Callable[..., keras.Model], Callable[..., TrainingJob], Callable[..., Params]

SCRIPT = """
import os, pickle, signal, sys
from pathlib import Path
from realframe.models import detector_network
from realframe.settings import Settings
from realframe.threads import configure_tensorflow
from realframe.training import two_phase
from realframe.training.training_job import TrainingJob

job, head, size, stop = pickle.loads(Path(sys.argv[1]).read_bytes())
configure_tensorflow(2, job.seed)

def kill_at(row):
    if (row["phase"], row["epoch"]) == stop:
        os.kill(os.getpid(), signal.SIGKILL)

model, _ = detector_network.create_detector("residual_cnn", "random", size, head, job.seed, Settings())
outcome = two_phase.train_two_phase(model, TrainingJob(**{**vars(job), "listeners": (kill_at,)}))
model.save_weights(sys.argv[2])
Path(sys.argv[3]).write_bytes(pickle.dumps(outcome))
"""


class StopTrainingError(Exception):
    """Ends a training from within."""


def stop_after(phase: int, epoch: int) -> Callable[[dict[str, Any]], None]:
    def listener(row: dict[str, Any]) -> None:
        if (row["phase"], row["epoch"]) == (phase, epoch):
            raise StopTrainingError

    return listener


def comparable(history: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(history).drop(columns="seconds")


@pytest.fixture
def sensitive(changed: Changed) -> Params:
    """Parameters with which every callback has state."""
    return changed(
        phase1={"epochs": 5, "learning_rate": 1.0}, phase2={"epochs": 3}, early_stopping=4, reduce_lr={"patience": 1, "factor": 0.3}
    )


@pytest.mark.parametrize("cut", [(1, 4), (2, 3)])
def test_a_resumed_training_ends_as_one_that_was_never_stopped(
    cut: tuple[int, int], sensitive: Params, network: Network, make_job: MakeJob, tmp_path: Path
) -> None:
    whole_model = network(sensitive)
    whole = two_phase.train_two_phase(whole_model, make_job(sensitive, state_dir=tmp_path / "whole"))

    with pytest.raises(StopTrainingError):
        two_phase.train_two_phase(network(sensitive), make_job(sensitive, listeners=(stop_after(*cut),)))
    rows_seen: list[dict[str, Any]] = []
    model = network(sensitive)
    resumed = two_phase.train_two_phase(model, make_job(sensitive, listeners=(rows_seen.append,)))

    pd.testing.assert_frame_equal(comparable(resumed.history), comparable(whole.history), check_exact=True)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), whole_model.get_weights(), strict=True))
    assert rows_seen == [resumed.history[0], *resumed.history[1 - len(rows_seen) :]]  # epoch 0 is evaluated restarted
    assert resumed.computed_activations == 0


def test_an_incomplete_state_is_ignored(network: Network, make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    whole = two_phase.train_two_phase(network(), make_job(state_dir=tmp_path / "whole"))
    with pytest.raises(StopTrainingError):
        two_phase.train_two_phase(network(), make_job(listeners=(stop_after(1, 3),)))
    (tmp_path / "state" / "phase1" / "staged").mkdir(exist_ok=True)
    for file in (tmp_path / "state" / "phase1" / "work").iterdir():
        file.write_bytes(file.read_bytes()[:50])

    resumed = two_phase.train_two_phase(network(), make_job())

    pd.testing.assert_frame_equal(comparable(resumed.history), comparable(whole.history), check_exact=True)


def test_the_state_of_a_training_that_nobody_resumes_is_deleted(tmp_path: Path) -> None:
    for name, days in (("old", 15), ("running", 15), ("new", 13)):
        (tmp_path / name / "phase1").mkdir(parents=True)
        (tmp_path / name / "phase1" / "best.weights.h5").touch()
        for path in (tmp_path / name / "phase1" / "best.weights.h5", tmp_path / name / "phase1", tmp_path / name):
            os.utime(path, (0, time.time() - days * 24 * 3600))
    with FileLock(tmp_path / "running.lock"):
        training_phase.delete_abandoned_states(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["new", "running"]


def test_a_training_killed_by_sigkill_resumes(network: Network, make_job: MakeJob, tiny: Params, tmp_path: Path) -> None:
    def train(folder: str, stop: tuple[int, int] | None) -> subprocess.CompletedProcess[str]:
        (tmp_path / "job").write_bytes(pickle.dumps((make_job(state_dir=tmp_path / folder), tiny.train.head, tiny.clean.size, stop)))
        files = [str(tmp_path / name) for name in ("job", f"{folder}.weights.h5", f"{folder}.out")]
        command = [sys.executable, "-c", SCRIPT, *files]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})

    killed = train("killed", (1, 2))
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.out").exists()
    restarted, whole = train("killed", None), train("whole", None)

    assert restarted.returncode == whole.returncode == 0, restarted.stderr + whole.stderr
    assert "resumes after epoch 1 of phase 1" in restarted.stdout
    resumed, straight = (pickle.loads((tmp_path / f"{name}.out").read_bytes()) for name in ("killed", "whole"))
    pd.testing.assert_frame_equal(comparable(resumed.history), comparable(straight.history), check_exact=True)
