"""Matching: each bin of size and duration ends with equally many of both classes, and nothing is left out without need."""

from collections import Counter

import numpy as np
from dataset_rows import item, table
from hypothesis import given
from hypothesis import strategies as st

from realframe.data.balance import find_unmatched

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["real", "fake"]), st.sampled_from(["image", "video"]), st.integers(16, 4000), st.floats(0, 600, allow_nan=False)
    ),
    max_size=40,
)


def made(facts: list[tuple[str, str, int, float]]) -> list[dict[str, object]]:
    return [
        item(at, label, kind=kind, width=width, duration_s=seconds if kind == "video" else 0.0)
        for at, (label, kind, width, seconds) in enumerate(facts)
    ]


def octave_half(value: float) -> int:
    return int(np.floor(2 * np.log2(max(value, 1e-3))))


def bin_of(row: dict[str, object]) -> tuple[object, ...]:
    return row["kind"], octave_half(float(row["width"]) * float(row["height"])), octave_half(float(row["duration_s"]))  # type: ignore[arg-type]


@given(ROWS, st.integers(0, 9), st.randoms())
def test_bins_are_even_and_no_pair_is_given_up(facts: list[tuple[str, str, int, float]], seed: int, random: object) -> None:
    rows = made(facts)
    out = find_unmatched(table(rows), ["pixels", "duration_s"], seed)
    kept = Counter((bin_of(row), row["label"]) for row in rows if row["media_id"] not in out)
    before = Counter((bin_of(row), row["label"]) for row in rows)
    for bin_ in {bin_of(row) for row in rows}:
        assert kept[bin_, "real"] == kept[bin_, "fake"] == min(before[bin_, "real"], before[bin_, "fake"])
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert find_unmatched(table(rows), ["pixels", "duration_s"], seed) == out


def test_without_a_fact_all_stay_and_the_seed_decides_who_goes() -> None:
    rows = table(made([("real", "video", 640, 4.0)] * 20 + [("fake", "video", 640, 4.0)] * 5))
    assert find_unmatched(rows, [], 1) == set()
    chosen = {seed: find_unmatched(rows, ["pixels"], seed) for seed in range(3)}
    assert {len(out) for out in chosen.values()} == {15} and len(set(map(frozenset, chosen.values()))) == 3
