"""``realframe detect``: paths, exit status, JSON, CSV, the table, the HTML report, and Ctrl-C."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from realframe import artifacts
from realframe.cli import app
from realframe.detection.batch import BatchDetector
from realframe.detection.result import BatchItem
from realframe.errors import RegistryError
from realframe.registry import model_registry
from tests.detection.conftest import EvaluatedRun


def _detect(evaluated_run: EvaluatedRun, *arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["detect", "--model", str(evaluated_run.folder), *map(str, arguments)], input=stdin)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "evil.mp4").write_text("no film")
    return tmp_path / "evil.mp4"


@pytest.fixture
def folder(evaluated_run: EvaluatedRun, tmp_path: Path) -> Path:
    """Two images and a clip, one of them in a subfolder."""
    for name in ("fake/1.png", "real/10.png", "real/clip.mp4"):
        target = tmp_path / "in" / ("deep" if name.endswith("10.png") else "") / Path(name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(evaluated_run.folder / artifacts.RAW_MEDIA / name, target)
    return tmp_path / "in"


@pytest.fixture
def champion(evaluated_run: EvaluatedRun, empty_registry: Path) -> None:
    model_registry.set_alias(model_registry.CHAMPION, model_registry.register_folder(evaluated_run.folder, commit="c" * 40))


def test_exit_status_0_if_all_files_are_scored(evaluated_run: EvaluatedRun) -> None:
    files = [evaluated_run.media_path(item) for item in evaluated_run.splits.head(2).itertuples()]
    result = _detect(evaluated_run, "--json", *files)
    assert result.exit_code == 0
    detections = json.loads(result.stdout)
    assert [row["file"] for row in detections] == [str(file) for file in files]
    assert all(row["verdict"] in ("real", "ai-generated", "uncertain") for row in detections)


def test_exit_status_1_if_a_file_is_not_scored_and_the_others_are(evaluated_run: EvaluatedRun, broken: Path) -> None:
    result = _detect(evaluated_run, broken, evaluated_run.media_path(next(evaluated_run.splits.itertuples())))
    assert result.exit_code == 1
    assert "not scored" in result.stdout
    assert "media.not-media" in result.stdout
    assert "always uncertain" in result.stdout
    assert "2 files: 1 not scored" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["/nowhere/at-all.mp4"], ["/nowhere/*.mp4"], ["/nowhere/[a.mp4"]])
def test_exit_status_2_for_wrong_usage(evaluated_run: EvaluatedRun, arguments: list[str]) -> None:
    assert _detect(evaluated_run, *arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments", [["--json", "--csv", "-"], ["--csv", "{folder}"], ["--html", "{folder}"], ["--heatmaps", "{folder}/1.png"]]
)
def test_impossible_outputs_are_wrong_usage(evaluated_run: EvaluatedRun, folder: Path, arguments: list[str]) -> None:
    result = _detect(evaluated_run, folder, *(argument.format(folder=folder) for argument in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_folder_without_media_is_wrong_usage(evaluated_run: EvaluatedRun, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    assert _detect(evaluated_run, tmp_path).exit_code == 2


def test_no_champion_is_a_registry_error(evaluated_run: EvaluatedRun, empty_registry: Path) -> None:
    result = CliRunner().invoke(app, ["detect", str(evaluated_run.media_path(next(evaluated_run.splits.itertuples())))])
    assert isinstance(result.exception, RegistryError)


def test_json_is_the_only_output(evaluated_run: EvaluatedRun) -> None:
    folder = evaluated_run.folder / artifacts.RAW_MEDIA / "real"
    command = [sys.executable, "-m", "realframe", "detect", "--json", "--model", str(evaluated_run.folder), str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert len(json.loads(result.stdout)) == 19
    assert result.stderr.strip() == ""


def test_patterns_folders_and_files_give_each_file_once(evaluated_run: EvaluatedRun, folder: Path) -> None:
    def names(*arguments: object) -> list[str]:
        return [Path(row["file"]).name for row in json.loads(_detect(evaluated_run, "--json", *arguments).stdout)]

    assert names(folder / "**" / "*.png") == ["1.png", "10.png"]
    assert names(folder / "clip.mp4", folder) == ["clip.mp4", "1.png", "10.png"]
    assert names(folder / "*") == ["1.png", "clip.mp4", "10.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(evaluated_run: EvaluatedRun, folder: Path) -> None:
    named = folder / "take[1].png"
    (folder / "1.png").rename(named)
    assert [row["file"] for row in json.loads(_detect(evaluated_run, "--json", named).stdout)] == [str(named)]


@pytest.mark.parametrize("end", [b"\n", b"\0", b"\r\n"])
def test_a_list_may_name_missing_files(evaluated_run: EvaluatedRun, folder: Path, end: bytes) -> None:
    names = [str(folder / "1.png").encode(), b"/nowhere/at-all.mp4"]
    result = _detect(evaluated_run, "--json", "-", stdin=end.join([*names, b""]))
    assert result.exit_code == 1
    assert [row["code"] for row in json.loads(result.stdout)] == ["", "media.unreadable"]
    assert _detect(evaluated_run, "-", stdin=b"").exit_code == 2


def test_frames_have_their_own_rows(evaluated_run: EvaluatedRun, folder: Path, broken: Path) -> None:
    result = _detect(evaluated_run, "--frames", "--csv", "-", folder / "clip.mp4", broken)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    detection = json.loads(_detect(evaluated_run, "--json", folder / "clip.mp4").stdout)[0]
    assert [float(row["frame_score"]) for row in rows[:3]] == [frame["score"] for frame in detection["frames"]]
    assert [row["time_s"] for row in rows] == ["0.0", "1.0", "2.0", ""]
    table = _detect(evaluated_run, "--frames", folder / "clip.mp4").stdout
    assert table.count("s  score 0.") == 3


def test_a_csv_has_all_values_and_no_formula(evaluated_run: EvaluatedRun, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "1.png").rename(folder / "=1+1.png")
    monkeypatch.chdir(folder)
    result = _detect(evaluated_run, "--csv", folder / "out.csv", "=1+1.png", "clip.mp4")
    assert "always uncertain" in result.stdout
    with (folder / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows] == ["./=1+1.png", "clip.mp4"]
    detections = json.loads(_detect(evaluated_run, "--json", "=1+1.png", "clip.mp4").stdout)
    for row, detection in zip(rows, detections, strict=True):
        assert (float(row["score"]), row["basis"]) == (detection["score"], detection["abstention"]["reason"])
        assert [row[name] for name in ("probability", "low", "high")] == ["", "", ""]
        assert row["sha256"] == detection["sha256"]


def test_a_file_name_cannot_control_the_terminal(evaluated_run: EvaluatedRun, folder: Path) -> None:
    nasty = folder / "\x1b[31m[bold]\u202egpj.png"
    (folder / "1.png").rename(nasty)
    result = _detect(evaluated_run, nasty)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert "[bold]" in result.stdout


def test_a_file_whose_name_is_not_utf8_is_scored(evaluated_run: EvaluatedRun, folder: Path) -> None:
    (folder / "1.png").rename(folder / "\udcff.png")
    detections = json.loads(_detect(evaluated_run, "--json", "-", stdin=str(folder).encode() + b"/\xff.png").stdout)
    assert [row["file"] for row in detections] == [f"{folder}/\N{REPLACEMENT CHARACTER}.png"]
    assert detections[0]["verdict"] != "not scored"


def test_the_html_report_shows_each_file(evaluated_run: EvaluatedRun, folder: Path, broken: Path) -> None:
    target = folder / "new" / "report.html"
    result = _detect(evaluated_run, "--html", target, folder, broken)
    assert result.exit_code == 1
    page = target.read_text()
    assert all(name in page for name in ("clip.mp4", "1.png", "10.png", "evil.mp4", "media.not-media"))
    assert page.count("data:image/jpeg;base64,") >= 6  # a frame and its overlay, of each file that was scored


@pytest.mark.slow
def test_the_command_prints_its_own_text_only(evaluated_run: EvaluatedRun, folder: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")}
    options = ["--model", str(evaluated_run.folder), "--json", "--html", str(tmp_path / "report.html")]
    command = [sys.executable, "-m", "realframe", "detect", *options, str(folder)]
    own = {"REALFRAME_HOME": str(tmp_path / "state"), "PYTHONPATH": ""}
    done = subprocess.run(command, env={**env, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 3
    assert done.stderr == f"report: {tmp_path / 'report.html'}\n"  # nothing of TensorFlow or CUDA


def test_heatmaps_are_png_files_of_the_most_suspicious_frames(evaluated_run: EvaluatedRun, folder: Path, broken: Path) -> None:
    detections = json.loads(_detect(evaluated_run, "--json", "--heatmaps", folder / "new", folder, broken).stdout)
    pictures = {path.name: Image.open(path) for path in (folder / "new").iterdir()}
    scored = [detection for detection in detections if detection["verdict"] != "not scored"]
    assert len(scored) == 3
    for detection in scored:
        name, frames = f"{Path(detection['file']).stem}-{detection['sha256'][:12]}-frame", detection["frames"]
        times = [moment["peak_s"] for moment in detection["moments"]]
        assert detection["abstention"]  # so the clip has one picture, whatever its moments are
        peaks = [index for index, frame in enumerate(frames) if frame["time_s"] in times and not detection["abstention"]]
        expected = peaks or [max(range(len(frames)), key=lambda index: frames[index]["score"])]
        assert sorted(found for found in pictures if found.startswith(name)) == [f"{name}{index:04d}.png" for index in expected]
    for picture in pictures.values():
        assert picture.format == "PNG"
        frame, heatmap = np.hsplit(np.asarray(picture.convert("RGB"), float), 2)
        assert frame.shape[0] == frame.shape[1]
        assert np.abs(frame - heatmap).max() > 10
        assert frame.std() > 1


def test_of_many_files_those_with_the_highest_probability_have_a_section(
    evaluated_run: EvaluatedRun, detail_run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = replace(evaluated_run, folder=detail_run)
    for module in ("detect_run", "detect_output"):
        monkeypatch.setattr(f"realframe.cli.{module}.MAX_SECTIONS", 2)
    detections = json.loads(_detect(judged, "--json", folder).stdout)
    highest = sorted((each for each in detections if not each["abstention"]), key=lambda each: -each["probability"])[:2]
    _detect(judged, "--html", folder / "report.html", folder)
    page = (folder / "report.html").read_text()
    assert page.count('class="answer"') == 2
    assert page.count("data:image/jpeg;base64,") >= 4
    first, second = (page.index(f'<div class="name"><bdi>{detection["file"]}</bdi>') for detection in highest)
    assert first < second
    assert all(detection["file"] in page for detection in detections)


def test_ctrl_c_keeps_the_results_so_far(champion: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score_files = BatchDetector.score_files

    def stopped(self: BatchDetector, *arguments: Any, **options: Any) -> Iterator[BatchItem]:
        items = score_files(self, *arguments, **options)
        yield next(items)
        yield next(items)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchDetector, "score_files", stopped)
        result = CliRunner().invoke(app, ["detect", "--json", "--csv", str(folder / "out.csv"), str(folder)])
    assert result.exit_code == 130
    assert "Stopped: 2 of 3 done; the same command continues from there." in result.stderr
    assert len(json.loads(result.stdout)) == 2
    assert len((folder / "out.csv").read_text().splitlines()) == 3
    second = CliRunner().invoke(app, ["detect", str(folder)])
    assert second.exit_code == 0
    assert "3 files" in second.stdout
    assert "scored before" in second.stdout
