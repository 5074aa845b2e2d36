"""Is a file unlike the training? One in a hundred of those that are like it is called so, and what lies elsewhere always."""

import numpy as np
import pandas as pd
import pytest

from realframe.detection.cautions import Domain

WIDTH = 16


def _features(count: int, centre: float, seed: int) -> np.ndarray:
    axis = np.zeros(WIDTH)
    axis[0] = 5
    shift = np.zeros(WIDTH)
    shift[1] = centre
    return (axis + shift + np.random.default_rng(seed).normal(size=(count, WIDTH))).astype(np.float32)


def _reference(train: int, val: int) -> pd.DataFrame:
    rows = [("train", row) for row in _features(train, 0, 1)] + [("val", row) for row in _features(val, 0, 2)]
    return pd.DataFrame(rows, columns=["split", "features"])


@pytest.fixture(scope="module")
def domain() -> Domain:
    found = Domain.of(_reference(300, 999))
    assert found is not None
    return found


def _far(domain: Domain, rows: np.ndarray) -> float:
    return float(np.mean([domain.caution(row) is not None for row in rows]))


def test_of_files_like_the_training_about_one_in_a_hundred_is_called_far(domain: Domain) -> None:
    assert 0.004 < _far(domain, _features(3000, 0, 3)) < 0.022


def test_what_lies_elsewhere_is_called_far(domain: Domain) -> None:
    assert _far(domain, _features(200, 60, 4)) == 1
    assert _far(domain, -_features(200, 0, 4)) == 1
    assert domain.caution(np.zeros(WIDTH, np.float32)) is not None


def test_the_length_of_features_does_not_matter(domain: Domain) -> None:
    rows = np.concatenate([_features(30, 0, 5), _features(30, 60, 5)])
    assert [domain.caution(row) is None for row in rows] == [domain.caution(1000 * row) is None for row in rows]


def test_the_sentence_says_farther_than_what() -> None:
    few = Domain.of(_reference(20, 30))
    assert few is not None
    said = few.caution(_features(1, 60, 4)[0])
    assert said is not None
    assert "all 30 validation items" in said.message


def test_too_little_to_say_it_by_gives_none() -> None:
    assert Domain.of(_reference(4, 50)) is None
    assert Domain.of(_reference(50, 0)) is None
