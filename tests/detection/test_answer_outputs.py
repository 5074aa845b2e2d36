"""Test what `realframe detect` says beside a verdict: its scope, why there is none, and the checks of the file, in each of its outputs."""

import csv
import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from realframe.cli import app
from realframe.media.ffmpeg import ffmpeg_executable
from realframe.presentation.wording import SCOPE

REASON = "This detector gives no verdict on videos: a test decided so."


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whole picture, one that lacks its last bytes, a BMP, and a clip."""
    folder = tmp_path_factory.mktemp("files")
    files = {name: folder / name for name in ("whole.jpg", "cut.jpg", "old.bmp", "clip.mp4")}
    noise = np.random.default_rng(0).integers(0, 256, (64, 400, 3), np.uint8)
    Image.fromarray(noise).save(files["whole.jpg"], comment=b"Made with Adobe Firefly")
    Image.fromarray(noise).save(files["old.bmp"])
    Image.fromarray(noise).save(files["cut.jpg"])
    files["cut.jpg"].write_bytes(files["cut.jpg"].read_bytes()[:-2])
    source = ["-f", "lavfi", "-i", "testsrc2=size=128x96:rate=10", "-t", "2", "-pix_fmt", "yuv420p"]
    subprocess.run([ffmpeg_executable(), "-v", "error", *source, str(files["clip.mp4"])], check=True)
    return files


def _detect(run: Path, *arguments: object) -> str:
    result = CliRunner().invoke(app, ["detect", "--no-store", "--model", str(run), *map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_each_state_of_a_check_is_told_apart(detail_run: Path, files: dict[str, Path]) -> None:
    detections = json.loads(_detect(detail_run, "--json", *files.values()))
    states = [
        {check["name"]: check["state"] for check in (*detection["provenance"]["checks"], detection["damage"])} for detection in detections
    ]
    assert states[0] == {"content-credentials": "not-found", "metadata": "found", "tools": "found", "damage": "not-found"}
    doubtful = dict.fromkeys(("content-credentials", "metadata", "tools"), "could-not-check")
    assert states[1] == doubtful | {"damage": "found"}
    assert "not all places" in detections[1]["provenance"]["sentence"]
    assert states[2] == {"content-credentials": "could-not-check", "metadata": "not-found", "tools": "not-found", "damage": "not-found"}
    table = _detect(detail_run, *files.values())
    assert "Content credentials (C2PA): not found; Traces of its origin in the metadata: found" in table
    assert "Content credentials (C2PA): could not be checked" in table
    assert "They are not read from BMP files." in table
    assert "The file is damaged, and the part in which this stood may be lost." in table
    rows = list(csv.DictReader(io.StringIO(_detect(detail_run, "--csv", "-", *files.values()))))
    assert rows[1]["checks"] == "content-credentials=could-not-check metadata=could-not-check tools=could-not-check damage=found"


def test_without_a_verdict_each_output_says_why(detail_run: Path, files: dict[str, Path], tmp_path: Path) -> None:
    table = _detect(detail_run, "--html", tmp_path / "report.html", files["clip.mp4"])
    lines = table.splitlines()
    (place,) = [index for index, line in enumerate(lines) if line.startswith("uncertain")]
    assert lines[place + 1].strip() == REASON
    assert "%" not in table
    assert "videos: always uncertain" in table
    assert REASON in (tmp_path / "report.html").read_text()
    (detection,) = json.loads(_detect(detail_run, "--json", files["clip.mp4"]))
    assert (detection["verdict"], detection["basis"], detection["scope"]) == ("uncertain", REASON, SCOPE)
    assert 0 < detection["probability"] < 1
    for frames in ([], ["--frames"]):
        for row in csv.DictReader(io.StringIO(_detect(detail_run, "--csv", "-", *frames, files["clip.mp4"]))):
            assert (row["verdict"], row["basis"], row["probability"], row["scope"]) == ("uncertain", REASON, "", SCOPE)


def test_each_output_states_the_scope(detail_run: Path, files: dict[str, Path], tmp_path: Path) -> None:
    table = _detect(detail_run, "--html", tmp_path / "report.html", files["whole.jpg"], files["cut.jpg"])
    assert table.count(SCOPE) == 1
    assert SCOPE in (tmp_path / "report.html").read_text()
