"""A taken-down item leaves the originals with all its copies and rows, is not catalogd and not taken in again; nothing else changes."""

from pathlib import Path

import pytest
from dataset_rows import picture

from realframe.config import Limits
from realframe.data import takedown_list
from realframe.data.catalog import build_catalog
from realframe.data.file_hashes import HashIndex
from realframe.data.ingest import ingest
from realframe.data.layouts import read_layout
from realframe.errors import TakenDownError
from realframe.files import sha256_of


@pytest.fixture
def offered(tmp_path: Path) -> Path:
    """Two real pictures, one of them under two names, and a fake one."""
    folder = tmp_path / "offered"
    for name, seed in {"real/a.png": 1, "real/b.png": 2, "fake/sora/c.png": 3}.items():
        picture(folder / name, seed)
    return folder


def _remove(raw: Path, cache: Path, media_id: str) -> list[Path]:
    with HashIndex(cache / "hashes.sqlite") as hashes:
        return takedown_list.remove(raw, media_id, hashes, 2)


def test_every_copy_goes_and_its_row_in_the_batchs_sheet(offered: Path, raw: Path, cache: Path, limits: Limits) -> None:
    batch = ingest(offered, raw, cache_dir=cache).batch
    media_id = sha256_of(offered / "real" / "a.png")
    (raw / "real").mkdir()
    (raw / "real" / "copy.png").write_bytes((offered / "real" / "a.png").read_bytes())
    assert _remove(raw, cache, media_id) == sorted([batch / "real" / "a.png", raw / "real" / "copy.png"])
    assert "a.png" not in (batch / "labels.csv").read_text() and "b.png" in (batch / "labels.csv").read_text()
    catalog = build_catalog(raw, limits, cache, 2)
    assert (len(catalog.media), catalog.rejected) == (2, [])
    assert [entry.generator for entry in read_layout(raw) if entry.label == "fake"] == ["sora"]
    assert _remove(raw, cache, media_id) == []


def test_a_users_own_sheet_stays_as_it_is(raw: Path, cache: Path) -> None:
    photo = picture(raw / "a.png", 1)
    sheet = raw / "labels.csv"
    sheet.write_text("filename;label;remark\na.png;real;mine\n")
    assert _remove(raw, cache, sha256_of(photo)) == [photo]
    assert sheet.read_text() == "filename;label;remark\na.png;real;mine\n"


def test_the_same_bytes_are_not_taken_in_again(offered: Path, raw: Path, cache: Path) -> None:
    barred = frozenset([sha256_of(offered / "real" / "a.png")])
    picture(offered / "real" / "renamed.png", 1)
    summary = ingest(offered, raw, cache_dir=cache, barred=barred)
    assert (summary.copied, summary.found) == (2, 4)
    assert [type(problem) for problem in summary.problems.values()] == [TakenDownError]
    assert {sha256_of(path) for path in raw.rglob("*.png")}.isdisjoint(barred)


def test_the_catalogue_rejects_it_whatever_lies_there(offered: Path, cache: Path, limits: Limits) -> None:
    barred = frozenset([sha256_of(offered / "fake" / "sora" / "c.png")])
    catalog = build_catalog(offered, limits, cache, 2, barred)
    assert barred.isdisjoint(catalog.media["media_id"]) and len(catalog.media) == 2
    assert [(row["path"], row["code"]) for row in catalog.rejected] == [("fake/sora/c.png", "media.taken-down")]


def test_equal_lists_have_equal_bytes(tmp_path: Path) -> None:
    takedown_list.write(tmp_path / "one.json", ["b" * 64, "a" * 64, "b" * 64])
    takedown_list.write(tmp_path / "two.json", {"a" * 64, "b" * 64})
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert takedown_list.read(tmp_path / "one.json") == {"a" * 64, "b" * 64}
    assert takedown_list.read(tmp_path / "none.json") == frozenset()
