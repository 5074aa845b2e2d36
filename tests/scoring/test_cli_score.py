"""``realframe score``: exit status, what it prints, and that Ctrl-C is no traceback and loses nothing."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from realframe.cli import app
from realframe.errors import DatasetError
from realframe.settings import Settings
from tests.scoring.conftest import BAD, GOOD, photo

pytestmark = pytest.mark.usefixtures("three_versions")


def _score(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["score", "--model", "3", *map(str, arguments)])


def _table(settings: Settings, job: str) -> list[dict[str, Any]]:
    return list(pq.read_table(settings.state / "scores" / job / "scores.parquet").to_pylist())


def test_something_not_scored_is_status_1_and_all_of_it_is_in_the_table(media: Path, settings: Settings) -> None:
    done = _score(media, "--job", "mine")
    assert done.exit_code == 1, done.output
    assert "7 files, 0 of them scored before by version 3; job mine" in done.stdout
    assert "media.undecodable" in done.stdout
    assert str(settings.state / "scores" / "mine" / "scores.parquet") in done.stdout
    assert len(_table(settings, "mine")) == len(GOOD) + len(BAD)
    assert "7 files, 7 of them scored before" in _score(media, "--job", "mine").stdout


def test_all_scored_is_status_0_and_the_job_is_called_after_the_folder(media: Path, settings: Settings) -> None:
    done = _score(media / "real")
    assert done.exit_code == 0, done.output
    (job,) = (settings.state / "scores").iterdir()
    assert job.name.startswith("real-")


def test_wrong_usage_and_nothing_to_score(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["score"]).exit_code == 2
    assert isinstance(_score(tmp_path / "nowhere").exception, DatasetError)


def test_ctrl_c_is_told_and_the_same_command_goes_on(tmp_path: Path, settings: Settings) -> None:
    for number in range(60):
        photo(tmp_path / "many" / f"{number}.png", number)
    command = [sys.executable, "-m", "realframe", "score", "--model", "3", "--job", "many", str(tmp_path / "many")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while running.poll() is None and not list(settings.cache_dir.rglob("answer.json")):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert "goes on where it stopped" in errors
    assert "Traceback" not in errors
    answered = len(list(settings.cache_dir.rglob("answer.json")))
    assert 0 < answered < 60
    written = {path: path.stat().st_mtime_ns for path in settings.cache_dir.rglob("answer.json")}
    assert _score("--job", "many", tmp_path / "many").exit_code == 0
    assert len(_table(settings, "many")) == 60
    assert {path: path.stat().st_mtime_ns for path in written} == written  # none of them was computed again
    assert json.loads((settings.state / "scores" / "many" / "listing.json").read_text())["model"] == "3"
