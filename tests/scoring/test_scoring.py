"""Many files in, one table of verdicts out: every file is a row, nothing is scored twice, and nothing is lost by a kill."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFile
from hypothesis import given
from hypothesis import strategies as st

from realframe.detection.detector import Detector
from realframe.errors import DatasetError, OverLimitError, RealframeError, RunError
from realframe.files import sha256_of
from realframe.scoring.file_source import FileSource, Listed, located
from realframe.scoring.score_shard import Tries, score_parts
from realframe.scoring.scoring_job import SCORES, Job
from realframe.scoring.scoring_plan import JobSummary, gather, plan
from realframe.settings import Settings
from realframe.store.repository import Store
from realframe.store.user_documents import Prediction
from tests.scoring.conftest import BAD, GOOD, photo

pytestmark = pytest.mark.usefixtures("three_versions")


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that the detector is given, as they come."""
    names: list[str] = []
    real = Detector.detect

    def told(self: Detector, path: Path, name: str = "", **more: Any) -> Any:
        names.append(name)
        return real(self, path, name, **more)

    monkeypatch.setattr(Detector, "detect", told)
    return names


@pytest.fixture
def bucket() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def _score(source: object, settings: Settings, version: str = "3", shard: int = 3, name: str = "") -> JobSummary:
    made = plan(located(str(source), Path()), settings, version=version, shard=shard, name=name)
    score_parts(made.job, made.parts, settings)
    return gather(made.job)


def _rows(summary: JobSummary) -> dict[str, dict[str, Any]]:
    return {row["file"]: row for row in pq.read_table(summary.table).to_pylist()}


def test_every_file_is_a_row_and_what_can_t_be_scored_says_why(media: Path, settings: Settings, store: Store) -> None:
    summary = _score(media, settings)
    rows = _rows(summary)
    assert pq.read_schema(summary.table).names == SCORES.names
    assert sorted(rows) == sorted([*GOOD, *BAD])
    assert {name: row["code"] for name, row in rows.items() if row["code"]} == BAD
    for name, row in rows.items():
        assert row["sha256"] == sha256_of(media / name)
        assert row["model"] == "3"
        assert (row["verdict"] == "not scored") == (row["probability"] is None) == bool(row["message"]) == (name in BAD)
        assert str(media) not in row["message"]
    scored = [rows[name] for name in GOOD]
    assert [row["kind"] for row in scored] == ["video", "image", "image"]
    assert summary.files == len(rows)
    assert summary.verdicts["not scored"] == len(BAD) == sum(summary.reasons.values())
    kept = {said.sha256: said for said in store.find(Prediction)}
    assert {row["sha256"]: row["probability"] for row in scored} == {sha256: said.probability for sha256, said in kept.items()}


def test_started_again_it_scores_what_is_new_or_has_changed_and_nothing_else(
    media: Path, settings: Settings, store: Store, looked_at: list[str]
) -> None:
    first = _score(media, settings)
    assert sorted(looked_at) == sorted([*GOOD, *BAD])
    looked_at.clear()
    assert _score(media, settings) == first
    assert not looked_at
    assert plan(str(media), settings, version="3").todo == 0
    photo(media / "new.png", 3)
    photo(media / "page.mp4", 4)  # mended
    (media / "real" / "two.png").unlink()
    second = _rows(_score(media, settings))
    assert sorted(looked_at) == ["new.png", "page.mp4"]
    assert "real/two.png" not in second
    assert second["page.mp4"]["verdict"] != "not scored"
    assert len(store.find(Prediction)) == 5  # nothing twice, and what was said of the file that is gone was said


def test_another_version_scores_anew_and_the_table_is_its(media: Path, settings: Settings, looked_at: list[str]) -> None:
    _score(media, settings)
    looked_at.clear()
    summary = _score(media, settings, version="2")
    assert sorted(looked_at) == sorted([*GOOD, *BAD])
    assert {row["model"] for row in _rows(summary).values()} == {"2"} == {summary.model}


def test_after_a_stop_in_the_middle_of_a_shard_no_answer_is_computed_again(
    media: Path, settings: Settings, looked_at: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(str(media), settings, version="3")
    real = Detector.detect

    def stopped(self: Detector, path: Path, name: str = "", **more: Any) -> Any:
        if len(looked_at) == 4:
            raise KeyboardInterrupt
        return real(self, path, name, **more)

    monkeypatch.setattr(Detector, "detect", stopped)
    with pytest.raises(KeyboardInterrupt):
        score_parts(made.job, made.parts, settings)
    monkeypatch.setattr(Detector, "detect", real)
    assert not made.job.parts()
    with pytest.raises(RunError, match="7 of 7 files have no verdict yet"):
        gather(made.job)
    assert len(_rows(_score(media, settings))) == 7
    assert sorted(looked_at) == sorted([*GOOD, *BAD])


def test_a_file_that_kills_its_process_is_given_up(media: Path, settings: Settings, looked_at: list[str]) -> None:
    made = plan(str(media), settings, version="3")
    note = made.job.folder / f"{made.parts[0]}.tries"
    code = (
        "import os; from pathlib import Path; from realframe.scoring.score_shard import Tries\n"
        f"with Tries(Path({str(note)!r})).of('clip.mp4') as allowed:\n os._exit(9 if allowed else 0)"
    )
    died = [subprocess.run([sys.executable, "-c", code], check=False).returncode for _ in range(3)]
    assert died == [9, 9, 0]
    score_parts(made.job, made.parts, settings)
    row = _rows(gather(made.job))["clip.mp4"]
    assert (row["code"], row["verdict"]) == ("media.crashes", "not scored")
    assert "clip.mp4" not in looked_at
    assert not note.exists()


def test_a_defect_of_a_library_costs_its_file_only_and_is_tried_again(
    media: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Detector.detect

    def failing(self: Detector, path: Path, name: str = "", **more: Any) -> Any:
        if name == "clip.mp4":
            raise IndexError("no such tile")
        return real(self, path, name, **more)

    monkeypatch.setattr(Detector, "detect", failing)
    rows = _rows(_score(media, settings))
    assert (rows["clip.mp4"]["code"], rows["real/one.png"]["code"]) == ("media.unusable", "")
    assert "IndexError: no such tile" in rows["clip.mp4"]["message"]
    monkeypatch.setattr(Detector, "detect", real)
    assert _rows(_score(media, settings))["clip.mp4"]["code"] == ""


def test_a_file_is_tried_anew_after_others(tmp_path: Path) -> None:
    tries = Tries(tmp_path / "x.tries")
    for name in ("a", "a", "a", "b"):
        with tries.of(name) as allowed:
            assert allowed


def test_a_bucket_is_scored_like_a_folder(media: Path, bucket: Any, settings: Settings) -> None:
    for file in (file for file in media.rglob("*") if file.is_file()):
        bucket.pipe_file(f"/newsroom/2026/{file.relative_to(media).as_posix()}", file.read_bytes())
    bucket.pipe_file("/newsroom/2026/.trash/old.png", b"x")
    bucket.pipe_file("/newsroom/other/far.png", b"x")
    here, there = (_rows(_score(source, settings)) for source in (media, "memory://newsroom/2026"))
    assert here == there


def test_a_name_in_a_bucket_is_never_a_path_of_this_machine(bucket: Any, settings: Settings, tmp_path: Path) -> None:
    photo(tmp_path / "x.png", 1)
    named = {"<b>\n.png", "a" * 3000 + ".png", "-rf", "C:\\x.png"}
    for name in named | {"../../../up.png", "x/../../../up.png"}:
        bucket.store[f"/box/{name}"] = MemoryFile(bucket, f"/box/{name}", (tmp_path / "x.png").read_bytes())
    rows = _rows(_score("memory://box", settings))
    assert set(rows) == named
    assert {row["code"] for row in rows.values()} == {""}


def test_what_can_t_be_fetched_is_a_row_and_is_tried_again(media: Path, bucket: Any, settings: Settings) -> None:
    data = (media / "real" / "one.png").read_bytes()
    for name in ("a.png", "b.png"):
        bucket.pipe_file(f"/box/{name}", data)
    stamped = bucket.store["/box/b.png"]
    made = plan("memory://box", settings, version="3")
    del bucket.store["/box/b.png"]
    score_parts(made.job, made.parts, settings)
    row = _rows(gather(made.job))["b.png"]
    assert (row["code"], row["verdict"], row["sha256"]) == ("media.unreadable", "not scored", "")
    bucket.store["/box/b.png"] = stamped
    assert _rows(_score("memory://box", settings))["b.png"]["verdict"] != "not scored"


def test_a_file_beyond_the_limit_is_not_fetched_whole_whatever_the_listing_says(bucket: Any) -> None:
    bucket.pipe_file("/box/big.bin", b"x" * 5000)
    source = FileSource("memory://box")
    (honest,) = source.files()
    for listed in (honest, Listed("big.bin", honest.place, 1, honest.stamp)):
        with pytest.raises(OverLimitError, match="more than 4,000 bytes"), source.here(listed, 4000):
            pass
    with source.here(honest, 5000) as path:
        assert path.read_bytes() == b"x" * 5000
        assert "big" not in path.name
    assert not path.exists()


@pytest.mark.parametrize("source", ["nowhere", "memory://nothing-in-it", "nonsense://x"])
def test_a_source_that_holds_nothing_is_refused(settings: Settings, tmp_path: Path, source: str) -> None:
    with pytest.raises(DatasetError):
        plan(located(source, tmp_path), settings, version="3")
    assert not list((settings.state / "scores").rglob("*"))


def test_a_name_is_of_one_source_only(media: Path, settings: Settings) -> None:
    plan(str(media), settings, version="3", name="mine")
    with pytest.raises(RunError, match="a job on other files"):
        plan(str(media / "real"), settings, version="3", name="mine")


@given(name=st.text(max_size=120))
def test_a_job_lies_in_the_folder_of_jobs_whatever_it_is_called(name: str) -> None:
    settings = Settings(root=Path("/x"), home=Path("/x/home"))
    try:
        folder = Job.of("clips", name, settings).folder
    except RealframeError:
        return
    assert folder.parent == settings.state / "scores"
    assert folder.name not in ("", ".", "..")


@given(source=st.text())
def test_any_source_has_a_name(source: str) -> None:
    assert Job.of(source, "", Settings(root=Path("/x"), home=Path("/x/home"))).name


def test_shards_hold_every_file_once(settings: Settings, tmp_path: Path) -> None:
    for number in range(11):
        photo(tmp_path / "many" / f"{number}.png", number)
    made = plan(str(tmp_path / "many"), settings, version="3", shard=4)
    dealt = [made.job.todo(part).files for part in made.parts]
    assert [len(files) for files in dealt] == [4, 4, 3]
    assert sorted(listed.file for files in dealt for listed in files) == sorted(f"{number}.png" for number in range(11))


def test_the_table_is_the_same_however_the_files_are_dealt(media: Path, settings: Settings) -> None:
    one, many = (pd.read_parquet(_score(media, settings, shard=shard, name=f"by{shard}").table) for shard in (1, 100))
    pd.testing.assert_frame_equal(one, many)
