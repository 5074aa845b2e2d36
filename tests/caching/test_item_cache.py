"""The item cache computes each item once, and loses none that is in use while other processes evict."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from realframe.caching.eviction import trim_caches
from realframe.caching.item_cache import ItemCache

_ITEM_BYTES = 8192
_LIMIT_BYTES = 10 * _ITEM_BYTES


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


def test_using_an_item_leaves_its_modification_time(tmp_path: Path) -> None:
    """DVC recognizes a file by it, and the outputs of earlier stages are hard links to the item."""
    cache = ItemCache(tmp_path, "frames", 1)
    cache.fetch_or_compute("a", tmp_path / "out", lambda path: path.write_text("x") and None)
    written = (tmp_path / "out").stat().st_mtime_ns
    assert cache.fetch_or_compute("a", tmp_path / "again", lambda path: None)
    assert cache.read("a") == b"x"
    assert cache.read("b") is None
    assert (tmp_path / "out").stat().st_mtime_ns == written


def _content(number: int) -> bytes:
    return str(number).encode() * (_ITEM_BYTES // len(str(number)))


def _fetch_all(root: Path, outputs: Path) -> int:
    """Fetch 60 items, six times what the limit allows, and check each; return how many were cached."""
    cache, hits = ItemCache(root, "frames", 1, _LIMIT_BYTES), 0
    for number in [*range(60), *range(60)]:
        target = outputs / str(number)
        hits += cache.fetch_or_compute(str(number), target, lambda path, number=number: path.write_bytes(_content(number)) and None)  # type: ignore[misc]
        assert target.read_bytes() == _content(number)
    return hits


@pytest.mark.slow
def test_several_processes_evict_while_others_use_the_cache(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_fetch_all, root, tmp_path / str(worker)) for worker in range(3)]
        for job in jobs:
            job.result()
    trim_caches(root, _LIMIT_BYTES)
    kept = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert 0 < len(kept) <= 10
    for worker in range(3):
        assert len(list((tmp_path / str(worker)).iterdir())) == 60
