"""The error of a stage reaches the user as its sentence, once and without a traceback; the log file of the run is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from realframe.runs.pipeline_run import list_saved_runs
from realframe.settings import Settings
from tests.runs.conftest import MakeHome

SENTENCE = "dataset.too-few: class real: has no usable items. Add some."
STAGES = """stages:
  first:
    cmd: cp params.yaml first.txt; printf 'progress 1\\rprogress 2\\n'
    deps: [params.yaml]
    outs: [first.txt]
    meta: {dag: prepare_data}
  second:
    cmd: python -c "import pipelines, realframe.errors as e; raise e.TooFewItemsError('class real', 'has no usable items', 'Add some.')"
    deps: [first.txt]
    outs: [second.txt]
    meta: {dag: prepare_data}
"""

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@pytest.fixture
def home(make_home: MakeHome) -> Settings:
    return make_home(STAGES)


def _run(home: Settings, *command: str) -> "subprocess.CompletedProcess[str]":
    own = {"REALFRAME_ROOT": str(home.root), "REALFRAME_HOME": str(home.state_dir), "MONGODB_URI": str(home.mongodb_uri)}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    env = {**os.environ, **own, "PYTHONPATH": f"{home.root / 'src'}{os.pathsep}{home.root}", "PATH": path}
    return subprocess.run([sys.executable, "-m", *command], cwd=home.root, env=env, capture_output=True, text=True, check=False)


def test_run_prints_the_sentence_and_names_its_log(home: Settings) -> None:
    process = _run(home, "realframe", "run", "prepare_data")
    assert process.returncode == 1
    assert "Traceback" not in process.stdout + process.stderr
    assert process.stderr.count(SENTENCE) == 1
    assert process.stderr.splitlines()[-1] == f"run.failed: stage second: {SENTENCE}"
    (run,) = list_saved_runs(home)
    assert run.error == f"stage second: {SENTENCE}"
    log = run.log_file(home)
    assert process.stderr.count(str(log)) == 2  # at the start and at the end
    text = log.read_text()
    assert "\nprogress 2\n" in text and "progress 1" not in text
    assert "stage second: failed" in text and SENTENCE in text


def test_dvc_repro_prints_the_sentence(home: Settings) -> None:
    process = _run(home, "dvc", "repro", "second")
    assert process.returncode
    assert f"{SENTENCE}\n" in process.stderr
    assert "Traceback" not in process.stdout + process.stderr
