"""Test the stages extract_frames and clean_frames as the pipeline runs them."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from pipelines import clean_frames, extract_frames
from realframe import artifacts
from realframe.caching.eviction import trim_caches
from realframe.config import Params, ResolvedParams, resolve_params
from realframe.errors import EmptyFileError
from realframe.files import compute_sha256
from realframe.media import quarantine
from realframe.media.probe import probe_media
from realframe.media.shards import read_shard_frames
from realframe.settings import get_settings
from tests.media.numbered_media import MakeVideo, extract_params, make_texture


@pytest.fixture
def params(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A run's folder with resolved parameters, as the working folder."""
    resolved = resolve_params(root / "params.yaml", root / "recipes")
    small = resolved.params.clean.model_copy(update={"size": 64})
    params = resolved.params.model_copy(update={"clean": small, "extract": extract_params(fps=2)})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REALFRAME_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "src")]))
    get_settings.cache_clear()
    ResolvedParams(params=params, origins={}).save(artifacts.RESOLVED_PARAMS)
    yield params
    get_settings.cache_clear()


def write_catalog(params: Params) -> None:
    """Write the part of media.parquet that the media stages read, and leave all items as they are."""
    files = [path for path in sorted(artifacts.RAW_MEDIA.iterdir()) if path.is_file()]
    rows = [{"media_id": compute_sha256(path), "path": path.name, **asdict(probe_media(path, params.limits))} for path in files]
    for table in (artifacts.MEDIA, artifacts.HARMONIZED):
        pd.DataFrame(rows).sort_values("media_id").to_parquet(table)


def add_file(name: str, content: Path | Image.Image) -> str:
    path = artifacts.RAW_MEDIA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        path.write_bytes(content.read_bytes())
    else:
        content.save(path)
    return compute_sha256(path)


def run_stages(capsys: pytest.CaptureFixture[str]) -> list[str]:
    extract_frames.main()
    clean_frames.main()
    return capsys.readouterr().out.splitlines()


def output_digests() -> dict[str, str]:
    return {
        str(path): compute_sha256(path)
        for path in sorted(Path("data").rglob("*"))
        if path.is_file() and artifacts.RAW_MEDIA not in path.parents
    }


def test_from_originals_to_clean_frames(params: Params, numbered: MakeVideo, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = bytearray(numbered().read_bytes())
    middle = damaged.index(b"mdat") + len(damaged) // 3
    damaged[middle : middle + 600] = bytes(range(200)) * 3
    add_file("damaged.mp4", numbered())
    (artifacts.RAW_MEDIA / "damaged.mp4").write_bytes(damaged)
    ids = [add_file("clip.webm", numbered("vp9", "webm")), add_file("photo.jpg", make_texture(300, 200))]
    blank = add_file("grey.png", Image.new("RGB", (64, 64), "grey"))
    before = {path: (compute_sha256(path), path.stat().st_mtime_ns) for path in artifacts.RAW_MEDIA.iterdir()}
    write_catalog(params)

    lines = run_stages(capsys)

    assert lines == [
        "extract_frames: 3 items (0 cached), quarantined 1 (media.undecodable 1)",
        "clean_frames: 2 items (0 cached), quarantined 1 (media.no-usable-frame 1), frames dropped 1 (blank 1)",
    ]
    assert {path.stem for path in artifacts.CLEAN_FRAMES.iterdir()} == set(ids)
    assert read_shard_frames(artifacts.CLEAN_FRAMES / f"{ids[0]}.tar")[0].shape == (5, 64, 64, 3)
    refused = pd.read_parquet(artifacts.QUARANTINE / "extract_frames.parquet")
    assert refused[["path", "code"]].to_numpy().tolist() == [["damaged.mp4", "media.undecodable"]]
    assert refused.message[0].startswith("damaged.mp4 is cut short or damaged")
    empty = pd.read_parquet(artifacts.QUARANTINE / "clean_frames.parquet")
    assert empty[["path", "sha256", "code"]].to_numpy().tolist() == [["grey.png", blank, "media.no-usable-frame"]]
    quality = pd.read_parquet(artifacts.QUALITY)
    assert list(quality) == ["media_id", "index", "time_s", "is_kept", "reason", "std", "sharpness", "brightness", "phash"]
    assert quality.is_kept.sum() == 6
    assert set(quality.media_id) == {*ids, blank}
    assert {path: (compute_sha256(path), path.stat().st_mtime_ns) for path in artifacts.RAW_MEDIA.iterdir()} == before


@pytest.mark.slow
def test_one_new_video_costs_one_decoding(params: Params, numbered: MakeVideo, capsys: pytest.CaptureFixture[str]) -> None:
    add_file("clip.mp4", numbered())
    removed_id = add_file("photo.jpg", make_texture())
    write_catalog(params)
    run_stages(capsys)
    first = output_digests()
    assert [line.split(",")[0] for line in run_stages(capsys)] == ["extract_frames: 2 items (2 cached)", "clean_frames: 2 items (2 cached)"]
    assert output_digests() == first
    (artifacts.RAW_MEDIA / "photo.jpg").unlink()
    add_file("new.webm", numbered("vp9", "webm"))
    write_catalog(params)
    assert [line.split(",")[0] for line in run_stages(capsys)] == ["extract_frames: 2 items (1 cached)", "clean_frames: 2 items (1 cached)"]
    assert not (artifacts.CLEAN_FRAMES / f"{removed_id}.tar").exists()
    assert removed_id not in set(pd.read_parquet(artifacts.QUALITY).media_id)


@pytest.mark.slow
def test_changed_code_or_a_small_cache_computes_the_items_again_with_the_same_bytes(
    params: Params, numbered: MakeVideo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_file("clip.mp4", numbered())
    add_file("photo.jpg", make_texture())
    write_catalog(params)
    run_stages(capsys)
    first = output_digests()
    monkeypatch.setattr(extract_frames, "code_digest", lambda *modules: f"other {modules}")
    monkeypatch.setattr(clean_frames, "code_digest", lambda *modules: f"other {modules}")
    again = ["extract_frames: 2 items (0 cached)", "clean_frames: 2 items (0 cached)"]
    assert [line.split(",")[0] for line in run_stages(capsys)] == again
    assert output_digests() == first

    trim_caches(get_settings().cache_dir, 0)
    assert output_digests() == first
    assert [line.split(",")[0] for line in run_stages(capsys)] == again
    assert output_digests() == first


def test_without_items_the_tables_are_empty(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    artifacts.MEDIA.parent.mkdir(parents=True)
    for table in (artifacts.MEDIA, artifacts.HARMONIZED):
        pd.DataFrame({"media_id": [], "path": []}, dtype=str).to_parquet(table)
    run_stages(capsys)
    assert artifacts.FRAMES.is_dir()
    assert len(pd.read_parquet(artifacts.QUALITY)) == 0
    assert list(pd.read_parquet(artifacts.QUARANTINE / "clean_frames.parquet")) == ["path", "sha256", "code", "message"]


@pytest.mark.slow
def test_a_killed_stage_gives_the_same_bytes_when_run_again(
    params: Params, numbered: MakeVideo, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, (codec, suffix) in enumerate([("h264", "mp4"), ("hevc", "mp4"), ("vp9", "webm"), ("mpeg4", "avi"), ("mjpeg", "mov")]):
        add_file(f"{place}.{suffix}", numbered(codec, suffix))
    write_catalog(params)
    killed = subprocess.Popen([sys.executable, "-m", "pipelines.extract_frames"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(artifacts.FRAMES.glob("*.tar")) and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (artifacts.FRAMES / ".half.0000.tmp.tar").write_bytes(b"half")
    run_stages(capsys)
    after_kill = output_digests()
    for folder in (artifacts.FRAMES, artifacts.CLEAN_FRAMES, Path("state")):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    run_stages(capsys)
    assert output_digests() == after_kill


def test_the_quarantine_table_is_sorted_and_deterministic(tmp_path: Path) -> None:
    rows = [
        quarantine.make_row(name, "", EmptyFileError(f"/somewhere/{name}", "is empty (0 bytes)", "Copy it again."))
        for name in ("b.mp4", "a.mp4")
    ]
    quarantine.write(tmp_path / "one.parquet", rows)
    quarantine.write(tmp_path / "two.parquet", reversed(rows))
    assert compute_sha256(tmp_path / "one.parquet") == compute_sha256(tmp_path / "two.parquet")
    table = pd.read_parquet(tmp_path / "one.parquet")
    assert table.path.tolist() == ["a.mp4", "b.mp4"]
    assert table.code.tolist() == ["media.empty"] * 2
    assert table.message[0] == "a.mp4 is empty (0 bytes). Copy it again."
