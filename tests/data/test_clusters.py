"""Clusters: near-duplicates and groups are linked."""

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realframe.data.clusters import find_clusters, find_group_components, find_near_pairs
from tests.data.dataset_rows import make_item, make_quality, make_table, media_id

HASHES = st.lists(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 255)), max_size=40)


def flip_bits(text: str, bits: int) -> str:
    return f"{int(text, 16) ^ ((1 << bits) - 1):016x}"


def clusters_of_several(found: pd.Series) -> set[frozenset[str]]:
    return {frozenset(members.index) for _, members in found.groupby(found) if len(members) > 1}


def ids(*names: str) -> frozenset[str]:
    return frozenset(media_id(name) for name in names)


@given(HASHES, st.integers(0, 64))
def test_near_pairs_match_a_pairwise_count_of_bits(hashes: list[int], distance: int) -> None:
    found = find_near_pairs(np.array(hashes, np.uint64), distance)
    expected = {(i, j) for j in range(len(hashes)) for i in range(j) if (hashes[i] ^ hashes[j]).bit_count() <= distance}
    assert set(zip(*found.tolist(), strict=True)) == expected


def test_near_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.data.clusters._BLOCK_PAIRS", 50)
    hashes = np.random.default_rng(0).integers(0, 2**64, 99, np.uint64)
    hashes[97] = hashes[3] ^ np.uint64(5)
    assert find_near_pairs(hashes, 4).tolist() == [[3], [97]]


def test_near_frames_link_items_and_links_are_transitive() -> None:
    rows = [make_item(name, "real") for name in "abcd"]
    a = "0f" * 8
    hashes = {media_id("a"): a, media_id("b"): flip_bits(a, 4), media_id("c"): flip_bits(flip_bits(a, 4), 8)}
    quality = make_quality(rows, hashes)
    assert clusters_of_several(find_clusters(make_table(rows), quality, 4)) == {
        ids("a", "b", "c")
    }  # b and c differ in 4 bits, a and c in 8
    assert clusters_of_several(find_clusters(make_table(rows), quality, 3)) == set()
    assert clusters_of_several(find_clusters(make_table(rows), quality, -1)) == set()


def test_equal_hashes_link_and_dropped_frames_do_not() -> None:
    rows = [make_item(name, "real") for name in "abc"]
    quality = make_quality(rows, {media_id(name): "0f" * 8 for name in "abc"})
    assert clusters_of_several(find_clusters(make_table(rows), quality, 0)) == {ids("a", "b", "c")}
    quality.loc[quality["media_id"] == media_id("c"), "is_kept"] = False
    assert clusters_of_several(find_clusters(make_table(rows), quality, 0)) == {ids("a", "b")}


def test_group_links_and_frame_links_form_one_cluster() -> None:
    rows = [
        make_item("a", "real", group="g"),
        make_item("b", "fake", group="g"),
        make_item("c", "fake"),
        make_item("d", "fake"),
        make_item("e", "real", group="h"),
    ]
    found = find_clusters(make_table(rows), make_quality(rows, {media_id("c"): media_id("b")[:16]}), 2)
    assert clusters_of_several(found) == {ids("a", "b", "c")}
    assert (found == [min(members) for members in (found.index[found == name] for name in found)]).all()


def test_an_item_of_two_groups_links_both() -> None:
    rows = [
        make_item("a", "real", group="id3"),
        make_item("b", "fake", group="id3|id7"),
        make_item("c", "real", group="id7"),
        make_item("d", "real", group="id"),
        make_item("e", "real"),
        make_item("f", "real"),
    ]
    items = make_table(rows)
    assert clusters_of_several(find_clusters(items, make_quality(rows), -1)) == {ids("a", "b", "c")}
    components = find_group_components(items)
    assert components[:3].nunique() == 1 and components.nunique() == 4


def test_an_item_without_frames_stands_alone() -> None:
    rows = [make_item("a", "real"), make_item("b", "fake")]
    assert clusters_of_several(find_clusters(make_table(rows), make_quality(rows[:1]), 8)) == set()
    assert len(find_clusters(make_table(rows), make_quality([]), 8)) == 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=20), st.randoms(), st.integers(-1, 6))
def test_clusters_do_not_depend_on_the_order_of_the_rows(facts: list[tuple[int, int]], random: object, distance: int) -> None:
    rows = [make_item(at, "real", group=f"g{group}" if group else "") for at, (group, _) in enumerate(facts)]
    quality = make_quality(rows, {media_id(at): f"{(1 << bits) - 1:016x}" for at, (_, bits) in enumerate(facts)})
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = find_clusters(make_table(rows).iloc[order], quality.iloc[order[::-1]], distance)
    pd.testing.assert_series_equal(find_clusters(make_table(rows), quality, distance), shuffled)


def test_twenty_thousand_frames_take_under_a_minute_and_bounded_memory() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 20_000, np.uint64)
    tracemalloc.start()
    start = time.perf_counter()
    find_near_pairs(hashes, 4)
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 60 and peak < 600 << 20
