"""``realframe detect``: what a path means, exit status, clean JSON and CSV, a table and a report for people, and Ctrl-C."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from realframe import artifacts
from realframe.cli import app
from realframe.detection.batch import BatchDetector, BatchItem
from realframe.errors import RegistryError
from realframe.registry import model_registry


def _detect(evaluated: Any, *arguments: object, given: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["detect", "--model", str(evaluated.folder), *map(str, arguments)], input=given)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "evil.mp4").write_text("no film")
    return tmp_path / "evil.mp4"


@pytest.fixture
def folder(evaluated: Any, tmp_path: Path) -> Path:
    """Two images and a clip, one of them in a folder of its own."""
    for name in ("fake/1.png", "real/10.png", "real/clip.mp4"):
        target = tmp_path / "in" / ("deep" if name.endswith("10.png") else "") / Path(name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(evaluated.folder / artifacts.RAW / name, target)
    return tmp_path / "in"


@pytest.fixture
def champion(evaluated: Any, empty_registry: Path) -> None:
    model_registry.set_alias(model_registry.CHAMPION, model_registry.register_folder(evaluated.folder, commit="c" * 40))


def test_all_scored_is_status_0(evaluated: Any) -> None:
    files = [evaluated.file(item) for item in evaluated.splits.head(2).itertuples()]
    done = _detect(evaluated, "--json", *files)
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert [row["file"] for row in said] == [str(file) for file in files]
    assert all(row["verdict"] in ("real", "ai-generated", "uncertain") for row in said)


def test_something_not_scored_is_status_1_and_the_rest_goes_on(evaluated: Any, broken: Path) -> None:
    done = _detect(evaluated, broken, evaluated.file(next(evaluated.splits.itertuples())))
    assert done.exit_code == 1
    assert "not scored" in done.stdout
    assert "media.not-media" in done.stdout
    assert "uncertain from" in done.stdout
    assert "2 files: 1 not scored" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["/nowhere/at-all.mp4"], ["/nowhere/*.mp4"], ["/nowhere/[a.mp4"]])
def test_wrong_usage_is_status_2(evaluated: Any, arguments: list[str]) -> None:
    assert _detect(evaluated, *arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [["--json", "--csv", "-"], ["--csv", "{folder}"], ["--html", "{folder}"]])
def test_outputs_that_can_t_be_are_wrong_usage(evaluated: Any, folder: Path, arguments: list[str]) -> None:
    done = _detect(evaluated, folder, *(argument.format(folder=folder) for argument in arguments))
    assert done.exit_code == 2
    assert done.stdout == ""


def test_a_folder_without_media_is_wrong_usage(evaluated: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    assert _detect(evaluated, tmp_path).exit_code == 2


def test_no_champion_is_an_error_of_its_own(evaluated: Any, empty_registry: Path) -> None:
    done = CliRunner().invoke(app, ["detect", str(evaluated.file(next(evaluated.splits.itertuples())))])
    assert isinstance(done.exception, RegistryError)


def test_json_is_all_that_a_process_says(evaluated: Any) -> None:
    folder = evaluated.folder / artifacts.RAW / "real"
    command = [sys.executable, "-m", "realframe", "detect", "--json", "--model", str(evaluated.folder), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert len(json.loads(done.stdout)) == 19
    assert done.stderr.strip() == ""


def test_patterns_folders_and_files_are_each_taken_once(evaluated: Any, folder: Path) -> None:
    def files(*arguments: object) -> list[str]:
        return [Path(row["file"]).name for row in json.loads(_detect(evaluated, "--json", *arguments).stdout)]

    assert files(folder / "**" / "*.png") == ["1.png", "10.png"]
    assert files(folder / "clip.mp4", folder) == ["clip.mp4", "1.png", "10.png"]
    assert files(folder / "*") == ["1.png", "clip.mp4", "10.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(evaluated: Any, folder: Path) -> None:
    named = folder / "take[1].png"
    (folder / "1.png").rename(named)
    assert [row["file"] for row in json.loads(_detect(evaluated, "--json", named).stdout)] == [str(named)]


@pytest.mark.parametrize("end", [b"\n", b"\0", b"\r\n"])
def test_a_list_may_name_what_is_not_there(evaluated: Any, folder: Path, end: bytes) -> None:
    names = [str(folder / "1.png").encode(), b"/nowhere/at-all.mp4"]
    done = _detect(evaluated, "--json", "-", given=end.join([*names, b""]))
    assert done.exit_code == 1
    assert [row["code"] for row in json.loads(done.stdout)] == ["", "media.unreadable"]
    assert _detect(evaluated, "-", given=b"").exit_code == 2


def test_frames_have_rows_of_their_own(evaluated: Any, folder: Path, broken: Path) -> None:
    done = _detect(evaluated, "--frames", "--csv", "-", folder / "clip.mp4", broken)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    answer = json.loads(_detect(evaluated, "--json", folder / "clip.mp4").stdout)[0]
    assert [float(row["frame_score"]) for row in rows[:3]] == [frame["score"] for frame in answer["frames"]]
    assert [row["time_s"] for row in rows] == ["0.0", "1.0", "2.0", ""]
    table = _detect(evaluated, "--frames", folder / "clip.mp4").stdout
    assert table.count("s  score 0.") == 3


def test_a_spreadsheet_gets_all_of_it_and_no_formula(evaluated: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "1.png").rename(folder / "=1+1.png")
    monkeypatch.chdir(folder)
    done = _detect(evaluated, "--csv", folder / "out.csv", "=1+1.png", "clip.mp4")
    assert "uncertain from" in done.stdout
    with (folder / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows] == ["./=1+1.png", "clip.mp4"]
    answers = json.loads(_detect(evaluated, "--json", "=1+1.png", "clip.mp4").stdout)
    for row, answer in zip(rows, answers, strict=True):
        said = [float(row[name]) for name in ("probability", "low", "high")]
        assert said == [answer["probability"], answer["interval"]["low"], answer["interval"]["high"]]
        assert row["sha256"] == answer["sha256"]


def test_a_name_can_t_steer_the_terminal(evaluated: Any, folder: Path) -> None:
    nasty = folder / "\x1b[31m[bold]\u202egpj.png"
    (folder / "1.png").rename(nasty)
    done = _detect(evaluated, nasty)
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "[bold]" in done.stdout


def test_a_name_that_is_no_utf8_is_scored_and_told(evaluated: Any, folder: Path) -> None:
    (folder / "1.png").rename(folder / "\udcff.png")
    said = json.loads(_detect(evaluated, "--json", "-", given=str(folder).encode() + b"/\xff.png").stdout)
    assert [row["file"] for row in said] == [f"{folder}/\N{REPLACEMENT CHARACTER}.png"]
    assert said[0]["verdict"] != "not scored"


def test_the_report_shows_each_file(evaluated: Any, folder: Path, broken: Path) -> None:
    target = folder / "new" / "report.html"
    done = _detect(evaluated, "--html", target, folder, broken)
    assert done.exit_code == 1
    page = target.read_text()
    assert all(name in page for name in ("clip.mp4", "1.png", "10.png", "evil.mp4", "media.not-media"))
    assert page.count("data:image/jpeg;base64,") >= 6  # a frame and its overlay, of each file that was scored


def test_of_many_files_those_that_look_most_ai_generated_have_a_section(
    evaluated: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("detecting", "detect_page"):
        monkeypatch.setattr(f"realframe.cli.{module}.MOST", 2)
    answers = json.loads(_detect(evaluated, "--json", folder).stdout)
    highest = sorted(answers, key=lambda answer: -answer["probability"])[:2]
    _detect(evaluated, "--html", folder / "report.html", folder)
    page = (folder / "report.html").read_text()
    assert page.count('class="answer"') == 2
    assert page.count("data:image/jpeg;base64,") >= 4
    first, second = (page.index(f'<div class="name"><bdi>{answer["file"]}</bdi>') for answer in highest)
    assert first < second
    assert all(answer["file"] in page for answer in answers)


def test_ctrl_c_keeps_what_is_done(champion: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each = BatchDetector.each

    def stopped(self: BatchDetector, *arguments: Any, **options: Any) -> Iterator[BatchItem]:
        answers = each(self, *arguments, **options)
        yield next(answers)
        yield next(answers)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchDetector, "each", stopped)
        done = CliRunner().invoke(app, ["detect", "--json", "--csv", str(folder / "out.csv"), str(folder)])
    assert done.exit_code == 130
    assert "Stopped: 2 of 3 done; the same command goes on from there." in done.stderr
    assert len(json.loads(done.stdout)) == 2
    assert len((folder / "out.csv").read_text().splitlines()) == 3
    again = CliRunner().invoke(app, ["detect", str(folder)])
    assert again.exit_code == 0
    assert "3 files" in again.stdout
    assert "answered before" in again.stdout
