"""A scoring job: every file has a row, no file is scored twice, and a kill loses nothing."""

import time
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
from realframe.detection.result import DecodedFile, DetectionResult
from realframe.errors import DatasetError, LimitExceededError, RealframeError, RunError
from realframe.files import compute_sha256
from realframe.scoring import file_source
from realframe.scoring.file_source import FileSource, SourceFile, resolve_source
from realframe.scoring.scoring_job import SCORES_SCHEMA, ScoringJob
from realframe.scoring.scoring_steps import JobSummary, gather_scores, plan_job, score_shards
from realframe.settings import Settings, get_settings
from realframe.store.repository import Store
from realframe.store.user_documents import Prediction
from tests.forked_runs import ForkedRuns
from tests.scoring.conftest import BAD, GOOD, write_photo
from tests.unreachable_servers import hanging_port
from tests.webhook_receiver import receive_events

CRASH_AT_A_FILE = """
from realframe.detection.detector import Detector
from realframe.scoring.scoring_job import ScoringJob
from realframe.scoring.scoring_steps import score_shards
from realframe.settings import get_settings

real = Detector.decode
def decode(self, path, name, *more):
    return os._exit(9) if name == "clip.mp4" else real(self, path, name, *more)

Detector.decode = decode
"""

__all__ = ["hanging_port"]
pytestmark = pytest.mark.usefixtures("three_versions")


@pytest.fixture
def scored_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that the detector scores, in order."""
    names: list[str] = []
    real = Detector.score

    def score(self: Detector, decoded: DecodedFile) -> DetectionResult:
        names.append(decoded.name)
        return real(self, decoded)

    monkeypatch.setattr(Detector, "score", score)
    return names


@pytest.fixture
def bucket() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def _score(source: object, settings: Settings, version: str = "3", shard_size: int = 3, name: str = "") -> JobSummary:
    plan = plan_job(resolve_source(str(source), Path()), settings, version=version, shard_size=shard_size, name=name)
    score_shards(plan.job, plan.shards, settings)
    return gather_scores(plan.job)


def _rows(summary: JobSummary) -> dict[str, dict[str, Any]]:
    return {row["file"]: row for row in pq.read_table(summary.table).to_pylist()}


def test_a_done_job_sends_an_event(media: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with receive_events() as receiver:
        monkeypatch.setenv("REALFRAME_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("REALFRAME_WEBHOOK_SECRET", "key")
        get_settings.cache_clear()
        summary = _score(media, settings)
        assert receiver.events == [{"event": "job.done", **summary.model_dump()}]
    get_settings.cache_clear()


def test_every_file_has_a_row_with_the_reason_if_it_is_not_scored(media: Path, settings: Settings, store: Store) -> None:
    summary = _score(media, settings)
    rows = _rows(summary)
    assert pq.read_schema(summary.table).names == SCORES_SCHEMA.names
    assert sorted(rows) == sorted([*GOOD, *BAD])
    assert {name: row["code"] for name, row in rows.items() if row["code"]} == BAD
    for name, row in rows.items():
        assert row["sha256"] == compute_sha256(media / name)
        assert row["model"] == "3"
        assert (row["verdict"] == "not scored") == (row["score"] is None) == bool(row["message"]) == (name in BAD)
        assert str(media) not in row["message"]
    scored = [rows[name] for name in GOOD]
    assert [row["kind"] for row in scored] == ["video", "image", "image"]
    assert summary.files == len(rows)
    assert summary.verdicts["not scored"] == len(BAD) == sum(summary.reasons.values())
    predictions = {prediction.sha256: prediction for prediction in store.find(Prediction)}
    assert {row["sha256"]: row["score"] for row in scored} == {sha256: prediction.score for sha256, prediction in predictions.items()}


def test_a_second_run_scores_only_new_and_changed_files(media: Path, settings: Settings, store: Store, scored_names: list[str]) -> None:
    first = _score(media, settings)
    assert sorted(scored_names) == sorted([*GOOD, *BAD])
    scored_names.clear()
    assert _score(media, settings) == first
    assert not scored_names
    assert plan_job(str(media), settings, version="3").pending_count == 0
    write_photo(media / "new.png", 3)
    write_photo(media / "page.mp4", 4)  # mended
    (media / "real" / "two.png").unlink()
    second = _rows(_score(media, settings))
    assert sorted(scored_names) == ["new.png", "page.mp4"]
    assert "real/two.png" not in second
    assert second["page.mp4"]["verdict"] != "not scored"
    assert len(store.find(Prediction)) == 5  # no prediction twice, and that of the deleted file stays


def test_another_version_scores_all_files_and_replaces_the_table(media: Path, settings: Settings, scored_names: list[str]) -> None:
    _score(media, settings)
    scored_names.clear()
    summary = _score(media, settings, version="2")
    assert sorted(scored_names) == sorted([*GOOD, *BAD])
    assert {row["model"] for row in _rows(summary).values()} == {"2"} == {summary.model}


def test_after_a_stop_within_a_shard_no_result_is_computed_again(
    media: Path, settings: Settings, scored_names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_job(str(media), settings, version="3")
    real = Detector.score

    def stop(self: Detector, decoded: DecodedFile) -> DetectionResult:
        if len(scored_names) == 4:
            raise KeyboardInterrupt
        return real(self, decoded)

    monkeypatch.setattr(Detector, "score", stop)
    with pytest.raises(KeyboardInterrupt):
        score_shards(plan.job, plan.shards, settings)
    monkeypatch.setattr(Detector, "score", real)
    assert not plan.job.list_parts()
    with pytest.raises(RunError, match="7 of 7 files have no verdict yet"):
        gather_scores(plan.job)
    assert len(_rows(_score(media, settings))) == 7
    assert sorted(scored_names) == sorted([*GOOD, *BAD])


def test_a_file_that_ends_its_process_is_given_up(media: Path, settings: Settings, scored_names: list[str]) -> None:
    plan = plan_job(str(media), settings, version="3")
    score = f"score_shards(ScoringJob.open({str(media)!r}, '', get_settings()), {list(plan.shards)!r}, get_settings())"
    with ForkedRuns(CRASH_AT_A_FILE, score) as runs:
        assert [runs.run().status for _ in range(4)] == [9, 9, 9, 0]  # after the third attempt, the file is given up
    row = _rows(gather_scores(plan.job))["clip.mp4"]
    assert (row["code"], row["verdict"]) == ("media.detector-crash", "not scored")
    assert scored_names == []
    assert not list(settings.cache_dir.glob("results/*/attempts/*"))


def test_a_defect_of_a_library_affects_only_its_file_which_is_scored_again(
    media: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Detector.decode

    def fail(self: Detector, path: Path, name: str, *more: Any) -> Any:
        if name == "clip.mp4":
            raise IndexError("no such tile")
        return real(self, path, name, *more)

    monkeypatch.setattr(Detector, "decode", fail)
    rows = _rows(_score(media, settings))
    assert (rows["clip.mp4"]["code"], rows["real/one.png"]["code"]) == ("media.unusable", "")
    assert "IndexError: no such tile" in rows["clip.mp4"]["message"]
    monkeypatch.setattr(Detector, "decode", real)
    assert _rows(_score(media, settings))["clip.mp4"]["code"] == ""


def test_a_bucket_is_scored_like_a_folder(media: Path, bucket: Any, settings: Settings) -> None:
    for file in (file for file in media.rglob("*") if file.is_file()):
        bucket.pipe_file(f"/newsroom/2026/{file.relative_to(media).as_posix()}", file.read_bytes())
    bucket.pipe_file("/newsroom/2026/.trash/old.png", b"x")
    bucket.pipe_file("/newsroom/other/far.png", b"x")
    here, there = (_rows(_score(source, settings)) for source in (media, "memory://newsroom/2026"))
    assert here == there


def test_a_name_in_a_bucket_is_never_a_local_path(bucket: Any, settings: Settings, tmp_path: Path) -> None:
    write_photo(tmp_path / "x.png", 1)
    named = {"<b>\n.png", "a" * 3000 + ".png", "-rf", "C:\\x.png"}
    for name in named | {"../../../up.png", "x/../../../up.png"}:
        bucket.store[f"/box/{name}"] = MemoryFile(bucket, f"/box/{name}", (tmp_path / "x.png").read_bytes())
    rows = _rows(_score("memory://box", settings))
    assert set(rows) == named
    assert {row["code"] for row in rows.values()} == {""}


def test_a_file_that_cannot_be_fetched_has_a_row_and_is_scored_again(media: Path, bucket: Any, settings: Settings) -> None:
    data = (media / "real" / "one.png").read_bytes()
    for name in ("a.png", "b.png"):
        bucket.pipe_file(f"/box/{name}", data)
    stamped = bucket.store["/box/b.png"]
    plan = plan_job("memory://box", settings, version="3")
    del bucket.store["/box/b.png"]
    score_shards(plan.job, plan.shards, settings)
    row = _rows(gather_scores(plan.job))["b.png"]
    assert (row["code"], row["verdict"], row["sha256"]) == ("media.unreadable", "not scored", "")
    bucket.store["/box/b.png"] = stamped
    assert _rows(_score("memory://box", settings))["b.png"]["verdict"] != "not scored"


def test_a_file_over_the_limit_is_not_fetched_completely_whatever_the_listing_says(bucket: Any) -> None:
    bucket.pipe_file("/box/big.bin", b"x" * 5000)
    source = FileSource("memory://box")
    (honest,) = source.list_files()
    for listed in (honest, SourceFile("big.bin", honest.location, 1, honest.stamp)):
        with pytest.raises(LimitExceededError, match="more than 4,000 bytes"), source.fetch(listed, 4000):
            pass
    with source.fetch(honest, 5000) as path:
        assert path.read_bytes() == b"x" * 5000
        assert "big" not in path.name
    assert not path.exists()


@pytest.mark.parametrize("source", ["nowhere", "memory://nothing-in-it", "nonsense://x"])
def test_a_source_without_media_is_refused(settings: Settings, tmp_path: Path, source: str) -> None:
    with pytest.raises(DatasetError):
        plan_job(resolve_source(source, tmp_path), settings, version="3")
    assert not list((settings.state_dir / "scores").rglob("*"))


def test_a_bucket_that_never_answers_ends_in_one_sentence(hanging_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ENDPOINT_URL", f"http://127.0.0.1:{hanging_port}"), ("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "y")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setitem(file_source._OPTIONS["s3"]["config_kwargs"], "read_timeout", 0.5)
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    began = time.monotonic()
    with pytest.raises(DatasetError, match=r"^s3://bucket/set: cannot be listed: Read timeout on endpoint"):
        FileSource("s3://bucket/set").list_files()
    assert time.monotonic() - began < 10


def test_a_job_name_belongs_to_one_source(media: Path, settings: Settings) -> None:
    plan_job(str(media), settings, version="3", name="mine")
    with pytest.raises(RunError, match="a job for another source"):
        plan_job(str(media / "real"), settings, version="3", name="mine")


@given(name=st.text(max_size=120))
def test_a_job_is_in_the_folder_of_jobs_whatever_its_name(name: str) -> None:
    settings = Settings(root=Path("/x"))
    try:
        folder = ScoringJob.open("clips", name, settings).folder
    except RealframeError:
        return
    assert folder.parent == settings.state_dir / "scores"
    assert folder.name not in ("", ".", "..")


@given(source=st.text())
def test_every_source_has_a_default_name(source: str) -> None:
    assert ScoringJob.open(source, "", Settings(root=Path("/x"))).name


def test_shards_contain_every_file_once(settings: Settings, tmp_path: Path) -> None:
    for number in range(11):
        write_photo(tmp_path / "many" / f"{number}.png", number)
    plan = plan_job(str(tmp_path / "many"), settings, version="3", shard_size=4)
    shards = [plan.job.read_shard(shard).files for shard in plan.shards]
    assert [len(files) for files in shards] == [4, 4, 3]
    assert sorted(file.file for files in shards for file in files) == sorted(f"{number}.png" for number in range(11))


def test_the_table_does_not_depend_on_the_shard_size(media: Path, settings: Settings) -> None:
    one, many = (pd.read_parquet(_score(media, settings, shard_size=shard_size, name=f"by{shard_size}").table) for shard_size in (1, 100))
    pd.testing.assert_frame_equal(one, many)


def test_rows_of_another_model_under_the_same_number_are_not_reused(media: Path, settings: Settings, store: Store) -> None:
    """The registry was replaced: version 3 is another one now."""
    from mlflow.tracking import MlflowClient

    _score(media, settings)
    source = resolve_source(str(media), Path())
    before = plan_job(source, settings, version="3", shard_size=3)
    assert before.pending_count == 0
    MlflowClient().set_model_version_tag("realframe", "3", "realframe.answer_digest", "f" * 64)
    plan = plan_job(source, settings, version="3", shard_size=3)
    assert plan.pending_count == plan.file_count
    MlflowClient().set_model_version_tag("realframe", "3", "realframe.answer_digest", "e" * 64)
    with pytest.raises(RunError, match="version 3 is not the one that the job was planned for"):
        score_shards(plan.job, plan.shards, settings)
