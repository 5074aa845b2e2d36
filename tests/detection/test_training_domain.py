"""The domain caution: about one in a hundred files that are like the training gets it, and every file that is far from it."""

import numpy as np
import pandas as pd
import pytest

from realframe.detection.cautions import TrainingDomain

WIDTH = 16


def _features(count: int, center: float, seed: int) -> np.ndarray:
    axis = np.zeros(WIDTH)
    axis[0] = 5
    shift = np.zeros(WIDTH)
    shift[1] = center
    return (axis + shift + np.random.default_rng(seed).normal(size=(count, WIDTH))).astype(np.float32)


def _reference(train: int, val: int) -> pd.DataFrame:
    rows = [("train", row) for row in _features(train, 0, 1)] + [("val", row) for row in _features(val, 0, 2)]
    return pd.DataFrame(rows, columns=["split", "features"])


@pytest.fixture(scope="module")
def domain() -> TrainingDomain:
    domain = TrainingDomain.from_reference(_reference(300, 999))
    assert domain is not None
    return domain


def _far_share(domain: TrainingDomain, rows: np.ndarray) -> float:
    return float(np.mean([domain.find_caution(row) is not None for row in rows]))


def test_of_files_like_the_training_about_one_in_a_hundred_is_called_far_share(domain: TrainingDomain) -> None:
    assert 0.004 < _far_share(domain, _features(3000, 0, 3)) < 0.022


def test_files_unlike_the_training_are_called_far_share(domain: TrainingDomain) -> None:
    assert _far_share(domain, _features(200, 60, 4)) == 1
    assert _far_share(domain, -_features(200, 0, 4)) == 1
    assert domain.find_caution(np.zeros(WIDTH, np.float32)) is not None


def test_the_length_of_features_does_not_matter(domain: TrainingDomain) -> None:
    rows = np.concatenate([_features(30, 0, 5), _features(30, 60, 5)])
    assert [domain.find_caution(row) is None for row in rows] == [domain.find_caution(1000 * row) is None for row in rows]


def test_the_message_says_farther_than_what() -> None:
    few = TrainingDomain.from_reference(_reference(20, 30))
    assert few is not None
    caution = few.find_caution(_features(1, 60, 4)[0])
    assert caution is not None
    assert "all 30 validation items" in caution.message


def test_too_few_items_give_no_domain() -> None:
    assert TrainingDomain.from_reference(_reference(4, 50)) is None
    assert TrainingDomain.from_reference(_reference(50, 0)) is None
