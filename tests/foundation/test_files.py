"""Test atomic writes and the item cache."""

from pathlib import Path

import pytest

from realframe.caching import code_digest, item_cache
from realframe.caching.code_digest import package_digest, source_digest
from realframe.caching.item_cache import ItemCache
from realframe.files import atomic_path, compute_sha256, link_or_copy, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_link_or_copy_leaves_the_source(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x")
    link_or_copy(tmp_path / "a", tmp_path / "b" / "c")
    assert compute_sha256(tmp_path / "a") == compute_sha256(tmp_path / "b" / "c")


def test_the_cache_computes_once_per_value_of_its_dependencies(tmp_path: Path) -> None:
    computed = []

    def compute(path: Path) -> None:
        computed.append(path)
        path.write_text("x")

    cache = ItemCache(tmp_path, "frames", {"fps": 1})
    assert not cache.fetch_or_compute("ab.tar", tmp_path / "out" / "ab.tar", compute)
    assert cache.fetch_or_compute("ab.tar", tmp_path / "out2" / "ab.tar", compute)
    assert not ItemCache(tmp_path, "frames", {"fps": 2}).fetch_or_compute("ab.tar", tmp_path / "out" / "ab.tar", compute)
    assert len(computed) == 2


def test_code_digests_depend_on_the_source() -> None:
    assert source_digest(code_digest) == source_digest(code_digest) != source_digest(code_digest, item_cache)
    before = package_digest("caching", "config")
    assert before == package_digest("caching", "config") != package_digest("config")
    with pytest.raises(FileNotFoundError):
        package_digest("no_such_package")
