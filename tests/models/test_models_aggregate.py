"""The score of an item: within its frames' scores, whatever their order, and each rule by what it is for."""

from random import Random
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realframe.models.aggregate import TOP, Aggregate, item_score, item_table

RULES = get_args(Aggregate)
MONOTONE = ("mean", "median", "top_k")
PROBABILITY = st.floats(0, 1)
FRAMES = st.lists(PROBABILITY | st.sampled_from([0.05, 0.1, 0.2, 0.8, 0.9]), min_size=1, max_size=60)

every_rule = pytest.mark.parametrize("how", RULES)


def clip(fake: int, between: int, real: int = 0) -> list[float]:
    """Scores of so many frames that are surely fake, neither, and surely real."""
    return [0.9] * fake + [0.5] * between + [0.1] * real


@every_rule
@given(FRAMES)
def test_it_stays_within_the_scores(how: Aggregate, scores: list[float]) -> None:
    found = item_score(scores, how)
    assert type(found) is float
    assert min(scores) <= found <= max(scores)


@every_rule
@given(FRAMES, st.randoms(use_true_random=False))
def test_the_order_of_the_frames_does_not_matter(how: Aggregate, scores: list[float], random: Random) -> None:
    shuffled = list(scores)
    random.shuffle(shuffled)
    assert item_score(shuffled, how) == item_score(scores, how)


@every_rule
@given(PROBABILITY, st.integers(1, 40))
def test_frames_that_agree_are_the_score(how: Aggregate, score: float, frames: int) -> None:
    assert item_score([score], how) == score
    assert item_score([score] * frames, how) == score


@pytest.mark.parametrize("how", MONOTONE)
@given(st.lists(st.tuples(PROBABILITY, PROBABILITY), min_size=1, max_size=60))
def test_higher_frames_give_no_lower_item(how: Aggregate, pairs: list[tuple[float, float]]) -> None:
    lower, higher = [min(pair) for pair in pairs], [max(pair) for pair in pairs]
    assert item_score(lower, how) <= item_score(higher, how)


def test_mean_and_median() -> None:
    assert item_score([0.9, 0.1, 0.2], "mean") == pytest.approx(0.4)
    assert item_score([0.9, 0.1, 0.2], "median") == 0.2


def test_top_k_is_the_mean_of_the_highest() -> None:
    assert TOP == 5
    assert item_score([0.0, 0.9, 0.1, 0.8, 0.0, 0.7, 0.6, 0.5], "top_k") == pytest.approx(0.7)
    assert item_score([0.2, 0.6, 0.1], "top_k") == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("fake", "between", "decides"),
    [
        (13, 19, True),  # of 32 frames, as in the original: more than 12.8
        (12, 20, False),
        (12, 11, True),  # more than 11, as in the original
        (11, 12, False),
        (9, 11, False),  # of a short clip, half of the frames or fewer
        (11, 9, True),
        (3, 2, True),
        (2, 2, False),
        (2, 1, True),
        (1, 1, False),
    ],
)
def test_enough_surely_fake_frames_decide(fake: int, between: int, decides: bool) -> None:
    scores = clip(fake, between)
    assert item_score(scores, "confident") == pytest.approx(0.9 if decides else np.mean(scores))


@pytest.mark.parametrize(("real", "between", "decides"), [(10, 1, True), (9, 1, False), (29, 3, True), (28, 4, False), (3, 1, False)])
def test_nearly_all_surely_real_frames_decide(real: int, between: int, decides: bool) -> None:
    scores = clip(0, between, real)
    assert item_score(scores, "confident") == pytest.approx(0.1 if decides else np.mean(scores))


def test_scores_at_the_bounds_are_not_sure() -> None:
    assert item_score([0.8, 0.8, 0.8, 0.5], "confident") == pytest.approx(0.725)
    assert item_score([0.2] * 19 + [0.5], "confident") == pytest.approx(0.215)


@given(st.lists(PROBABILITY, min_size=22, max_size=60) | st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=22, max_size=60))
def test_in_long_clips_confident_is_the_original(scores: list[float]) -> None:
    fake, real = [s for s in scores if s > 0.8], [s for s in scores if s < 0.2]
    if len(fake) > len(scores) // 2.5 and len(fake) > 11:
        expected = np.mean(fake)
    elif len(real) > 0.9 * len(scores):
        expected = np.mean(real)
    else:
        expected = np.mean(scores)
    assert item_score(scores, "confident") == pytest.approx(expected)


@every_rule
def test_a_table_has_the_score_of_each_item(how: Aggregate) -> None:
    scores = {"b": clip(1, 0), "a": clip(4, 2, 3)}
    rows = [{"media_id": name, "label": "fake", "index": index, "score": s} for name, of in scores.items() for index, s in enumerate(of)]
    table = item_table(pd.DataFrame(rows), how, ["score"])
    assert table.to_dict("list") == {
        "media_id": ["a", "b"],
        "label": ["fake", "fake"],
        "score": [item_score(scores["a"], how), item_score(scores["b"], how)],
    }
