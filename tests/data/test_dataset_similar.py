"""Near-duplicates and groups become clusters."""

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from dataset_rows import item, media_id, quality_of, table
from hypothesis import given
from hypothesis import strategies as st

from realframe.data.clusters import find_clusters, near_pairs

HASHES = st.lists(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 255)), max_size=40)


def flipped(text: str, bits: int) -> str:
    return f"{int(text, 16) ^ ((1 << bits) - 1):016x}"


def together(found: pd.Series) -> set[frozenset[str]]:
    return {frozenset(members.index) for _, members in found.groupby(found) if len(members) > 1}


def ids(*names: str) -> frozenset[str]:
    return frozenset(media_id(name) for name in names)


@given(HASHES, st.integers(0, 64))
def test_pairs_are_those_of_counting_bits_one_by_one(hashes: list[int], distance: int) -> None:
    found = near_pairs(np.array(hashes, np.uint64), distance)
    expected = {(i, j) for j in range(len(hashes)) for i in range(j) if (hashes[i] ^ hashes[j]).bit_count() <= distance}
    assert set(zip(*found.tolist(), strict=True)) == expected


def test_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.data.clusters._BLOCK", 50)
    hashes = np.random.default_rng(0).integers(0, 2**64, 99, np.uint64)
    hashes[97] = hashes[3] ^ np.uint64(5)
    assert near_pairs(hashes, 4).tolist() == [[3], [97]]


def test_one_pair_of_near_frames_links_two_items_and_links_chain() -> None:
    rows = [item(name, "real") for name in "abcd"]
    a = "0f" * 8
    hashes = {media_id("a"): a, media_id("b"): flipped(a, 4), media_id("c"): flipped(flipped(a, 4), 8)}
    quality = quality_of(rows, hashes)
    assert together(find_clusters(table(rows), quality, 4)) == {ids("a", "b", "c")}  # b and c differ in 4 bits, a and c in 8
    assert together(find_clusters(table(rows), quality, 3)) == set()
    assert together(find_clusters(table(rows), quality, -1)) == set()


def test_equal_hashes_link_and_dropped_frames_do_not() -> None:
    rows = [item(name, "real") for name in "abc"]
    quality = quality_of(rows, {media_id(name): "0f" * 8 for name in "abc"})
    assert together(find_clusters(table(rows), quality, 0)) == {ids("a", "b", "c")}
    quality.loc[quality["media_id"] == media_id("c"), "kept"] = False
    assert together(find_clusters(table(rows), quality, 0)) == {ids("a", "b")}


def test_groups_and_near_frames_link_together() -> None:
    rows = [item("a", "real", group="g"), item("b", "fake", group="g"), item("c", "fake"), item("d", "fake"), item("e", "real", group="h")]
    found = find_clusters(table(rows), quality_of(rows, {media_id("c"): media_id("b")[:16]}), 2)
    assert together(found) == {ids("a", "b", "c")}
    assert (found == [min(members) for members in (found.index[found == name] for name in found)]).all()


def test_an_item_without_frames_stands_alone() -> None:
    rows = [item("a", "real"), item("b", "fake")]
    assert together(find_clusters(table(rows), quality_of(rows[:1]), 8)) == set()
    assert len(find_clusters(table(rows), quality_of([]), 8)) == 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=20), st.randoms(), st.integers(-1, 6))
def test_clusters_do_not_depend_on_the_order_of_the_rows(facts: list[tuple[int, int]], random: object, distance: int) -> None:
    rows = [item(at, "real", group=f"g{group}" if group else "") for at, (group, _) in enumerate(facts)]
    quality = quality_of(rows, {media_id(at): f"{(1 << bits) - 1:016x}" for at, (_, bits) in enumerate(facts)})
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = find_clusters(table(rows).iloc[order], quality.iloc[order[::-1]], distance)
    pd.testing.assert_series_equal(find_clusters(table(rows), quality, distance), shuffled)


def test_twenty_thousand_frames_take_no_minute_and_bounded_memory() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 20_000, np.uint64)
    tracemalloc.start()
    began = time.perf_counter()
    near_pairs(hashes, 4)
    seconds, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 60 and peak < 600 << 20
