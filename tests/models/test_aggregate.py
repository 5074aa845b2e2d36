"""The score of an item: within its frames' scores, in any order, and as each method defines it."""

from random import Random
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realframe.models.aggregate import TOP_K, Aggregate, aggregate_by_item, aggregate_scores

METHODS = get_args(Aggregate)
MONOTONE = ("mean", "median", "top_k")
PROBABILITY = st.floats(0, 1)
FRAMES = st.lists(PROBABILITY | st.sampled_from([0.05, 0.1, 0.2, 0.8, 0.9]), min_size=1, max_size=60)

every_method = pytest.mark.parametrize("method", METHODS)


def make_scores(fake: int, between: int, real: int = 0) -> list[float]:
    """Make the scores of frames that are surely fake, neither, and surely real."""
    return [0.9] * fake + [0.5] * between + [0.1] * real


@every_method
@given(FRAMES)
def test_the_score_is_within_the_scores_of_the_frames(method: Aggregate, scores: list[float]) -> None:
    score = aggregate_scores(scores, method)
    assert type(score) is float
    assert min(scores) <= score <= max(scores)


@every_method
@given(FRAMES, st.randoms(use_true_random=False))
def test_the_order_of_the_frames_does_not_matter(method: Aggregate, scores: list[float], random: Random) -> None:
    shuffled = list(scores)
    random.shuffle(shuffled)
    assert aggregate_scores(shuffled, method) == aggregate_scores(scores, method)


@every_method
@given(PROBABILITY, st.integers(1, 40))
def test_equal_frames_have_the_score_of_one(method: Aggregate, score: float, frames: int) -> None:
    assert aggregate_scores([score], method) == score
    assert aggregate_scores([score] * frames, method) == score


@pytest.mark.parametrize("method", MONOTONE)
@given(st.lists(st.tuples(PROBABILITY, PROBABILITY), min_size=1, max_size=60))
def test_higher_frame_scores_give_no_lower_score(method: Aggregate, pairs: list[tuple[float, float]]) -> None:
    lower, higher = [min(pair) for pair in pairs], [max(pair) for pair in pairs]
    assert aggregate_scores(lower, method) <= aggregate_scores(higher, method)


def test_mean_and_median() -> None:
    assert aggregate_scores([0.9, 0.1, 0.2], "mean") == pytest.approx(0.4)
    assert aggregate_scores([0.9, 0.1, 0.2], "median") == 0.2


def test_top_k_is_the_mean_of_the_highest() -> None:
    assert TOP_K == 5
    assert aggregate_scores([0.0, 0.9, 0.1, 0.8, 0.0, 0.7, 0.6, 0.5], "top_k") == pytest.approx(0.7)
    assert aggregate_scores([0.2, 0.6, 0.1], "top_k") == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("fake", "between", "decides"),
    [
        (13, 19, True),  # of 32 frames, as in the original: more than 12.8
        (12, 20, False),
        (12, 11, True),  # more than 11, as in the original
        (11, 12, False),
        (9, 11, False),  # of a short clip, at most half of the frames
        (11, 9, True),
        (3, 2, True),
        (2, 2, False),
        (2, 1, True),
        (1, 1, False),
    ],
)
def test_enough_surely_fake_frames_decide(fake: int, between: int, decides: bool) -> None:
    scores = make_scores(fake, between)
    assert aggregate_scores(scores, "confident") == pytest.approx(0.9 if decides else np.mean(scores))


@pytest.mark.parametrize(("real", "between", "decides"), [(10, 1, True), (9, 1, False), (29, 3, True), (28, 4, False), (3, 1, False)])
def test_nearly_all_surely_real_frames_decide(real: int, between: int, decides: bool) -> None:
    scores = make_scores(0, between, real)
    assert aggregate_scores(scores, "confident") == pytest.approx(0.1 if decides else np.mean(scores))


def test_scores_at_the_thresholds_are_not_sure() -> None:
    assert aggregate_scores([0.8, 0.8, 0.8, 0.5], "confident") == pytest.approx(0.725)
    assert aggregate_scores([0.2] * 19 + [0.5], "confident") == pytest.approx(0.215)


@given(st.lists(PROBABILITY, min_size=22, max_size=60) | st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=22, max_size=60))
def test_for_long_clips_confident_is_the_original_rule(scores: list[float]) -> None:
    fake, real = [s for s in scores if s > 0.8], [s for s in scores if s < 0.2]
    if len(fake) > len(scores) // 2.5 and len(fake) > 11:
        expected = np.mean(fake)
    elif len(real) > 0.9 * len(scores):
        expected = np.mean(real)
    else:
        expected = np.mean(scores)
    assert aggregate_scores(scores, "confident") == pytest.approx(expected)


@every_method
def test_a_table_has_the_score_of_each_item(method: Aggregate) -> None:
    scores = {"b": make_scores(1, 0), "a": make_scores(4, 2, 3)}
    rows = [{"media_id": name, "label": "fake", "index": index, "score": s} for name, of in scores.items() for index, s in enumerate(of)]
    table = aggregate_by_item(pd.DataFrame(rows), method, ["score"])
    assert table.to_dict("list") == {
        "media_id": ["a", "b"],
        "label": ["fake", "fake"],
        "score": [aggregate_scores(scores["a"], method), aggregate_scores(scores["b"], method)],
    }
