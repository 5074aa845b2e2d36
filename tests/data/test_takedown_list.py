"""Takedown: all copies and rows of an item are deleted, and neither the catalog nor an ingest accepts its bytes again."""

from pathlib import Path

import pytest

from realframe.config import Limits
from realframe.data import takedown_list
from realframe.data.catalog import build_catalog
from realframe.data.file_hashes import HashIndex
from realframe.data.ingest import ingest
from realframe.data.layouts import read_layout
from realframe.errors import TakenDownError
from realframe.files import compute_sha256
from tests.data.dataset_rows import write_picture


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two real pictures, one of them under two names, and a fake one."""
    folder = tmp_path / "source"
    for name, seed in {"real/a.png": 1, "real/b.png": 2, "fake/sora/c.png": 3}.items():
        write_picture(folder / name, seed)
    return folder


def delete(raw: Path, cache: Path, media_id: str) -> list[Path]:
    with HashIndex(cache / "hashes.sqlite") as hashes:
        return takedown_list.delete_originals(raw, media_id, hashes, 2)


def test_every_copy_and_its_row_in_the_batch_are_deleted(source: Path, raw: Path, cache: Path, limits: Limits) -> None:
    batch = ingest(source, raw, cache_dir=cache).batch
    media_id = compute_sha256(source / "real" / "a.png")
    (raw / "real").mkdir()
    (raw / "real" / "copy.png").write_bytes((source / "real" / "a.png").read_bytes())
    assert delete(raw, cache, media_id) == sorted([batch / "real" / "a.png", raw / "real" / "copy.png"])
    assert "a.png" not in (batch / "labels.csv").read_text() and "b.png" in (batch / "labels.csv").read_text()
    catalog = build_catalog(raw, limits, cache, 2)
    assert (len(catalog.media), catalog.rejected) == (2, [])
    assert [entry.generator for entry in read_layout(raw) if entry.label == "fake"] == ["sora"]
    assert delete(raw, cache, media_id) == []


def test_a_csv_of_the_user_is_not_changed(raw: Path, cache: Path) -> None:
    photo = write_picture(raw / "a.png", 1)
    label_csv = raw / "labels.csv"
    label_csv.write_text("filename;label;remark\na.png;real;mine\n")
    assert delete(raw, cache, compute_sha256(photo)) == [photo]
    assert label_csv.read_text() == "filename;label;remark\na.png;real;mine\n"


def test_the_same_bytes_are_not_ingested_again(source: Path, raw: Path, cache: Path) -> None:
    taken_down_ids = frozenset([compute_sha256(source / "real" / "a.png")])
    write_picture(source / "real" / "renamed.png", 1)
    summary = ingest(source, raw, cache_dir=cache, taken_down_ids=taken_down_ids)
    assert (summary.copied_count, summary.file_count) == (2, 4)
    assert [type(problem) for problem in summary.rejected.values()] == [TakenDownError]
    assert {compute_sha256(path) for path in raw.rglob("*.png")}.isdisjoint(taken_down_ids)


def test_the_catalog_rejects_the_item(source: Path, cache: Path, limits: Limits) -> None:
    taken_down_ids = frozenset([compute_sha256(source / "fake" / "sora" / "c.png")])
    catalog = build_catalog(source, limits, cache, 2, taken_down_ids)
    assert taken_down_ids.isdisjoint(catalog.media["media_id"]) and len(catalog.media) == 2
    assert [(row["path"], row["code"]) for row in catalog.rejected] == [("fake/sora/c.png", "media.taken-down")]


def test_equal_lists_have_equal_bytes(tmp_path: Path) -> None:
    takedown_list.write(tmp_path / "one.json", ["b" * 64, "a" * 64, "b" * 64])
    takedown_list.write(tmp_path / "two.json", {"a" * 64, "b" * 64})
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert takedown_list.read(tmp_path / "one.json") == {"a" * 64, "b" * 64}
    assert takedown_list.read(tmp_path / "none.json") == frozenset()
