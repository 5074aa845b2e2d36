"""The catalog: each file of the originals is used, quarantined with a reason, or a duplicate of a used file."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import ffmpeg
import imageio_ffmpeg
import pytest

from realframe.config import Limits
from realframe.data import catalog as catalog_module
from realframe.data import file_hashes
from realframe.data.catalog import Catalog, build_catalog
from realframe.data.ingest import ingest
from realframe.data.manifest import MEDIA_SCHEMA
from realframe.errors import DatasetError, LabelConflictError
from realframe.files import compute_sha256
from tests.data.dataset_rows import write_picture


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    video = ffmpeg.input("testsrc=size=64x48:rate=10:duration=2", f="lavfi")
    video.output(str(path), pix_fmt="yuv420p").run(cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True)
    return path


def codes(catalog: Catalog) -> dict[str, str]:
    return {row["path"]: row["code"] for row in catalog.rejected}


def test_every_file_is_used_quarantined_or_a_duplicate(raw: Path, cache: Path, limits: Limits, clip: Path) -> None:
    write_picture(raw / "real" / "phone" / "a.jpg", 1, (40, 30))
    (raw / "fake" / "sora").mkdir(parents=True)
    shutil.copy(clip, raw / "fake" / "sora" / "b.mp4")
    shutil.copy(clip, raw / "fake" / "again.mp4")
    write_picture(raw / "unsorted.png", 2)
    (raw / "real" / "empty.mp4").touch()
    (raw / "fake" / "empty.mp4").touch()
    (raw / "fake" / "text.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    (raw / "real" / "cut.mp4").write_bytes(clip.read_bytes()[:1500])
    (raw / "README.md").write_text("not media")
    (raw / "labels.csv").write_text("path,label\ngone.mp4,real\n")

    catalog = build_catalog(raw, limits, cache, workers=2)

    assert codes(catalog) == {
        "unsorted.png": "media.unlabeled",
        "real/empty.mp4": "media.empty",
        "fake/empty.mp4": "media.empty",
        "fake/text.mp4": "media.not-media",
        "real/cut.mp4": "media.undecodable",
        "gone.mp4": "media.unreadable",
    }
    assert all(row["path"] in row["message"] and str(raw) not in row["message"] for row in catalog.rejected)
    assert (catalog.file_count, len(catalog.media), catalog.duplicate_count) == (9, 2, 1)
    assert catalog.file_count == len(catalog.media) + len(catalog.rejected) + catalog.duplicate_count
    assert "9 files = 2 used (1 fake videos, 1 real images), 6 quarantined, 1 duplicates" in str(catalog)

    assert list(catalog.media.columns) == MEDIA_SCHEMA.names and catalog.media["media_id"].is_monotonic_increasing
    video, image = (catalog.media[catalog.media["kind"] == kind].iloc[0] for kind in ("video", "image"))
    assert (video.path, video.label, video.media_id) == ("fake/again.mp4", "fake", compute_sha256(clip))
    assert video.generator == "sora"  # from the second path
    assert (video.width, video.height, video.fps, video.frames, video.duration_s, video.codec) == (64, 48, 10, 20, 2.0, "h264")
    assert (image.source, image.width, image.height, image.fps, image.bytes) == ("phone", 40, 30, 0, (raw / image.path).stat().st_size)


def test_one_new_file_costs_one_probe_even_in_another_checkout(
    raw: Path, cache: Path, limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(3):
        os.utime(write_picture(raw / "real" / f"{index}.png", index), (1, 1))
    first = build_catalog(raw, limits, cache, workers=1)
    assert first.probed_count == 3
    second = build_catalog(raw, limits, cache, workers=1)
    assert second.probed_count == 0 and second.media.equals(first.media)
    elsewhere = shutil.copytree(raw, tmp_path / "worktree" / "raw", copy_function=os.link)
    write_picture(elsewhere / "fake" / "new.png", 9)
    assert build_catalog(elsewhere, limits, cache, workers=1).probed_count == 1
    stricter = limits.model_copy(update={"max_pixels": 10})
    assert set(codes(build_catalog(raw, stricter, cache, workers=1)).values()) == {"media.limit-exceeded"}


def test_a_file_changed_in_place_is_another_item(raw: Path, cache: Path, limits: Limits) -> None:
    file = write_picture(raw / "real" / "a.bmp", 1)
    os.utime(file, (1, 1))
    before = build_catalog(raw, limits, cache, workers=1).media["media_id"].iloc[0]
    write_picture(file, 2)
    assert file.stat().st_size == write_picture(raw.parent / "same.bmp", 1).stat().st_size  # only the modification time differs
    assert build_catalog(raw, limits, cache, workers=1).media["media_id"].iloc[0] != before


def test_the_same_bytes_with_both_labels_are_an_error_that_names_both_paths(raw: Path, cache: Path, limits: Limits) -> None:
    write_picture(raw / "real" / "a.png", 1)
    write_picture(raw / "fake" / "b.png", 1)
    with pytest.raises(LabelConflictError, match=r"fake/b\.png and real/a\.png.*fake and real"):
        build_catalog(raw, limits, cache, workers=1)


def test_the_same_bytes_in_two_splits_are_an_error(raw: Path, cache: Path, limits: Limits) -> None:
    write_picture(raw / "train" / "real" / "a.png", 1)
    write_picture(raw / "test" / "real" / "b.png", 1)
    with pytest.raises(DatasetError, match=r"b\.png and .*a\.png.*test and train"):
        build_catalog(raw, limits, cache, workers=1)


def test_equal_files_that_are_not_media_are_quarantined(raw: Path, cache: Path, limits: Limits) -> None:
    for path in ("real/a.mp4", "fake/a.mp4"):
        (raw / path).parent.mkdir(parents=True)
        (raw / path).write_text("<html>404</html>")
    assert codes(build_catalog(raw, limits, cache, workers=1)) == {"real/a.mp4": "media.not-media", "fake/a.mp4": "media.not-media"}


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_folder_is_an_error_with_a_hint(raw: Path, cache: Path, limits: Limits, exists: bool) -> None:
    if exists:
        raw.mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"holds no files.*realframe ingest.*realframe demo-data"):
        build_catalog(raw, limits, cache, workers=1)


def test_a_probe_that_dies_costs_one_item(raw: Path, cache: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(raw / "real" / "a.png", 1)
    monkeypatch.setattr(catalog_module, "_probe", _die)
    assert codes(build_catalog(raw, limits, cache, workers=1)) == {"real/a.png": "media.decoder-crash"}


def _die(*_: object) -> None:
    os._exit(7)


@pytest.mark.slow
def test_every_file_of_the_field_data_is_accounted_for(field_data: Path, raw: Path, cache: Path, limits: Limits) -> None:
    summary = ingest(field_data, raw, cache_dir=cache, workers=2)
    assert (summary.file_count, summary.copied_count, summary.rejected) == (535, 535, {})
    catalog = build_catalog(raw, limits, cache, workers=2)
    assert len(catalog.media) + len(catalog.rejected) + catalog.duplicate_count == 535
    counts = catalog.media.groupby(["label", "kind"]).size().to_dict()
    assert counts == {("fake", "image"): 138, ("fake", "video"): 153, ("real", "image"): 171, ("real", "video"): 73}
    assert catalog.media["group"].ne("").sum() == 103


def test_the_index_of_digests_is_emptied_above_its_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_picture(tmp_path / "a.png")
    os.utime(file, (1, 1))
    database = tmp_path / "hashes.sqlite"

    def count_rows() -> int:
        with closing(sqlite3.connect(database)) as connection:
            return int(connection.execute("SELECT count(*) FROM hashes").fetchone()[0])

    with file_hashes.HashIndex(database) as index:
        digest = index.hash_files([file], 1)
    assert count_rows() == 1
    monkeypatch.setattr(file_hashes, "_MAX_BYTES", 1)
    with file_hashes.HashIndex(database) as index:
        assert count_rows() == 0
        assert index.hash_files([file], 1) == digest
