"""Test the sampling of frames at constant and variable frame rates."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from realframe.config import Sampling
from realframe.media.frame_sampling import sample_evenly, sample_indices

steps = st.lists(st.fractions(min_value=0, max_value=5, max_denominator=1000), min_size=0, max_size=60)
clocks = steps.map(lambda gaps: [sum(gaps[:place], Fraction(0)) for place in range(len(gaps) + 1)])


def steady(count: int, fps: int) -> list[Fraction]:
    return [Fraction(index, fps) for index in range(count)]


def test_one_frame_a_second() -> None:
    assert sample_indices(steady(95, 30), Sampling(fps=1), 256) == [0, 30, 60, 90]


def test_every_third_frame() -> None:
    assert sample_indices(steady(10, 30), Sampling(every=3), 256) == [0, 3, 6, 9]


def test_uniform_includes_the_first_and_the_last_frame() -> None:
    assert sample_indices(steady(101, 30), Sampling(uniform=5), 256) == [0, 25, 50, 75, 100]


def test_uniform_samples_all_frames_of_a_short_video() -> None:
    assert sample_indices(steady(3, 30), Sampling(uniform=5), 256) == [0, 1, 2]


def test_more_than_max_frames_are_thinned_evenly() -> None:
    assert sample_indices(steady(101, 30), Sampling(every=1), 5) == [0, 25, 50, 75, 100]


def test_a_rate_above_that_of_the_video_samples_each_frame_once() -> None:
    assert sample_indices(steady(7, 10), Sampling(fps=50), 256) == list(range(7))


@given(clocks, st.fractions(min_value=Fraction(1, 10), max_value=10, max_denominator=16))
def test_fps_samples_the_first_frame_at_or_after_each_tick(times: list[Fraction], fps: Fraction) -> None:
    ticks = [Fraction(tick) / fps for tick in range(int(times[-1] * fps) + 1)]
    expected = {next(index for index, time in enumerate(times) if time >= tick) for tick in ticks}
    assert sample_indices(times, Sampling(fps=float(fps)), 10_000) == sorted(expected)


@given(clocks, st.sampled_from([{"fps": 2}, {"every": 3}, {"uniform": 9}]), st.integers(1, 20))
def test_chosen_frames_rise_start_at_the_first_and_stay_within_the_limit(times: list[Fraction], rule: dict[str, int], limit: int) -> None:
    chosen = sample_indices(times, Sampling(**rule), limit)
    assert chosen[0] == 0
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= limit
    assert chosen[-1] < len(times)


@given(st.integers(1, 500), st.integers(1, 50))
def test_evenly_spaced_gaps_differ_by_one_at_most(count: int, wanted: int) -> None:
    chosen = sample_evenly(range(count), wanted)
    gaps = {later - earlier for earlier, later in pairwise(chosen)}
    assert len(chosen) == min(count, wanted)
    assert not gaps or max(gaps) - min(gaps) <= 1
