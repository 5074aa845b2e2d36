"""Matching: each bin of size and duration keeps equally many items of both classes, and no more are left unmatched than necessary."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realframe.data.balance import find_unmatched
from tests.data.dataset_rows import make_item, make_table

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["real", "fake"]), st.sampled_from(["image", "video"]), st.integers(16, 4000), st.floats(0, 600, allow_nan=False)
    ),
    max_size=40,
)


def make_rows(facts: list[tuple[str, str, int, float]]) -> list[dict[str, object]]:
    return [
        make_item(index, label, kind=kind, width=width, duration_s=seconds if kind == "video" else 0.0)
        for index, (label, kind, width, seconds) in enumerate(facts)
    ]


def half_octave(value: float) -> int:
    return int(np.floor(2 * np.log2(max(value, 1e-3))))


def bin_of(row: dict[str, object]) -> tuple[object, ...]:
    return row["kind"], half_octave(float(row["width"]) * float(row["height"])), half_octave(float(row["duration_s"]))  # type: ignore[arg-type]


@pytest.mark.slow
@given(ROWS, st.integers(0, 9), st.randoms())
def test_bins_are_balanced_and_no_pair_is_lost(facts: list[tuple[str, str, int, float]], seed: int, random: object) -> None:
    rows = make_rows(facts)
    unmatched = find_unmatched(make_table(rows), ["pixels", "duration_s"], seed)
    remaining = Counter((bin_of(row), row["label"]) for row in rows if row["media_id"] not in unmatched)
    before = Counter((bin_of(row), row["label"]) for row in rows)
    for bin_ in {bin_of(row) for row in rows}:
        assert remaining[bin_, "real"] == remaining[bin_, "fake"] == min(before[bin_, "real"], before[bin_, "fake"])
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert find_unmatched(make_table(rows), ["pixels", "duration_s"], seed) == unmatched


def test_without_a_fact_all_stay_and_the_seed_decides_which_items_are_left_out() -> None:
    rows = make_table(make_rows([("real", "video", 640, 4.0)] * 20 + [("fake", "video", 640, 4.0)] * 5))
    assert find_unmatched(rows, [], 1) == set()
    unmatched_by_seed = {seed: find_unmatched(rows, ["pixels"], seed) for seed in range(3)}
    assert {len(unmatched) for unmatched in unmatched_by_seed.values()} == {15} and len(
        set(map(frozenset, unmatched_by_seed.values()))
    ) == 3
