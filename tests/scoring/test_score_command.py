"""``realframe score``: exit status, output, and Ctrl-C without a traceback or a lost result."""

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
from tests.scoring.conftest import BAD, GOOD, write_photo

pytestmark = pytest.mark.usefixtures("three_versions")
FILES = 120  # more than are scored before the signal arrives


def _score(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["score", "--model", "3", *map(str, arguments)])


def _table(settings: Settings, job: str) -> list[dict[str, Any]]:
    return list(pq.read_table(settings.state_dir / "scores" / job / "scores.parquet").to_pylist())


def test_exit_status_1_if_a_file_is_not_scored_and_all_files_are_in_the_table(media: Path, settings: Settings) -> None:
    result = _score(media, "--job", "mine")
    assert result.exit_code == 1, result.output
    assert "7 files, 0 of them scored before by version 3; job mine" in result.stdout
    assert "media.undecodable" in result.stdout
    assert str(settings.state_dir / "scores" / "mine" / "scores.parquet") in result.stdout
    assert len(_table(settings, "mine")) == len(GOOD) + len(BAD)
    assert "7 files, 7 of them scored before" in _score(media, "--job", "mine").stdout


def test_exit_status_0_if_all_files_are_scored_and_the_job_is_named_after_the_folder(media: Path, settings: Settings) -> None:
    result = _score(media / "real")
    assert result.exit_code == 0, result.output
    (job,) = (settings.state_dir / "scores").iterdir()
    assert job.name.startswith("real-")


def test_wrong_usage_and_a_missing_folder(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["score"]).exit_code == 2
    assert isinstance(_score(tmp_path / "nowhere").exception, DatasetError)


def test_the_same_command_continues_after_ctrl_c(tmp_path: Path, settings: Settings) -> None:
    for number in range(FILES):
        write_photo(tmp_path / "many" / f"{number}.png", number)
    command = [sys.executable, "-m", "realframe", "score", "--model", "3", "--job", "many", str(tmp_path / "many")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while running.poll() is None and not list(settings.cache_dir.rglob("result.json")):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert "Run the same command again to continue" in errors
    assert "Traceback" not in errors
    scored = len(list(settings.cache_dir.rglob("result.json")))
    assert 0 < scored < FILES
    written = {path: path.stat().st_mtime_ns for path in settings.cache_dir.rglob("result.json")}
    assert _score("--job", "many", tmp_path / "many").exit_code == 0
    assert len(_table(settings, "many")) == FILES
    assert {path: path.stat().st_mtime_ns for path in written} == written  # none of them was computed again
    assert json.loads((settings.state_dir / "scores" / "many" / "listing.json").read_text())["model_version"] == "3"
