"""An error that a user can act on is one sentence in the log of its task, without a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SENTENCE = "dataset.unusable: data/raw: there are no originals yet."


def test_the_task_log_has_the_sentence_and_no_traceback(checkout: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
    env = airflow_environment(Settings(root=clone, home=tmp_path / "state"))
    code = os.pathsep.join((str(clone / "src"), str(clone)))
    command = [sys.executable, "-m", "realframe.services.headless_dags", "prepare_data"]
    done = subprocess.run(command, cwd=clone, env={**env, "PYTHONPATH": code}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    printed = done.stdout + done.stderr
    assert printed.count(SENTENCE) == 1, printed
    assert "Traceback" not in printed
    assert "prepare_data: failed" in printed
