"""``bonafide detect``: exit status, clean JSON, a table for people."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bonafide import artefacts
from bonafide.cli import app
from bonafide.errors import RegistryError


def _detect(evaluated: Any, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["detect", "--model", str(evaluated.folder), *map(str, arguments)])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "evil.mp4").write_text("no film")
    return tmp_path / "evil.mp4"


def test_all_scored_is_status_0(evaluated: Any) -> None:
    files = [evaluated.file(item) for item in evaluated.splits.head(2).itertuples()]
    done = _detect(evaluated, "--json", *files)
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert [row["path"] for row in said] == [str(file) for file in files]
    assert all(row["verdict"] in ("real", "ai-generated", "uncertain") for row in said)


def test_something_not_scored_is_status_1_and_the_rest_goes_on(evaluated: Any, broken: Path) -> None:
    done = _detect(evaluated, broken, evaluated.file(next(evaluated.splits.itertuples())))
    assert done.exit_code == 1
    assert "not scored" in done.stdout
    assert "media.not-media" in done.stdout
    assert "uncertain from" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["/nowhere/at-all.mp4"]])
def test_wrong_usage_is_status_2(evaluated: Any, arguments: list[str]) -> None:
    assert _detect(evaluated, *arguments).exit_code == 2


def test_a_folder_without_media_is_wrong_usage(evaluated: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    assert _detect(evaluated, tmp_path).exit_code == 2


def test_no_champion_is_an_error_of_its_own(evaluated: Any, empty_registry: Path) -> None:
    done = CliRunner().invoke(app, ["detect", str(evaluated.file(next(evaluated.splits.itertuples())))])
    assert isinstance(done.exception, RegistryError)


def test_json_is_all_that_a_process_says(evaluated: Any) -> None:
    folder = evaluated.folder / artefacts.RAW / "real"
    command = [sys.executable, "-m", "bonafide", "detect", "--json", "--model", str(evaluated.folder), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert len(json.loads(done.stdout)) == 19
    assert done.stderr.strip() == ""
