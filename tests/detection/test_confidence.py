"""The interval of a probability: it contains the probability, reflects frames and calibration, and is deterministic."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realframe.detection.confidence import compute_interval, fit_temperatures
from realframe.models.aggregate import Aggregate, aggregate_scores
from realframe.statistics import calibration


def _val(items: int, spread: float, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    fake = np.arange(items) % 2 == 1
    scores = np.clip(0.35 + 0.3 * fake + spread * random.normal(size=items), 0.01, 0.99)
    return pd.DataFrame(
        {"label": np.where(fake, "fake", "real"), "score": scores, "cluster": [f"c{number // 4}-{number % 2}" for number in range(items)]}
    )


@pytest.fixture(scope="module")
def fitted() -> np.ndarray:
    return fit_temperatures(_val(400, 0.2))


def _interval(frames: list[float], aggregate: Aggregate, fitted: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    score = aggregate_scores(frames, aggregate)
    probability = float(calibration.apply_temperature(np.array(score), float(np.median(fitted))))
    interval = compute_interval(probability, score, np.array(frames), aggregate, fitted, seed)
    assert interval is not None
    return interval.low, probability, interval.high


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from(["mean", "median", "top_k", "confident"]), st.integers(0, 9))
def test_it_contains_the_probability_and_is_deterministic(frames: list[float], aggregate: Aggregate, seed: int) -> None:
    fitted = np.linspace(0.5, 2.0, 200)
    low, probability, high = _interval(frames, aggregate, fitted, seed)
    assert 0 <= low <= probability <= high <= 1
    assert (low, probability, high) == _interval(frames, aggregate, fitted, seed)


def test_the_fitted_temperature_is_within_those_of_the_resamples(fitted: np.ndarray) -> None:
    val = _val(400, 0.2)
    point = calibration.fit_temperature((val["label"] == "fake").to_numpy(), val["score"].to_numpy())
    low, high = np.percentile(fitted, [2.5, 97.5])
    assert low < point < high
    assert low < high


def test_frames_that_disagree_make_it_wider(fitted: np.ndarray) -> None:
    (low, _, high), (lower, _, higher) = (_interval(frames, "mean", fitted) for frames in ([0.8] * 10, [0.7, 0.9] * 5))
    assert 0 < high - low < higher - lower


def test_fewer_validation_items_make_it_wider() -> None:
    few, many = (np.log(fit_temperatures(_val(items, 0.35))).std() for items in (60, 600))
    assert few > 1.5 * many


def test_it_covers_other_frames_of_the_same_file_at_its_level() -> None:
    """Of files whose frames are drawn from one distribution, the interval holds the score of all frames in about 95 of 100."""
    random, temperatures = np.random.default_rng(5), np.ones(200)
    files = random.beta(4, 2, size=(100, 30))
    covered = 0
    for number, frames in enumerate(files):
        interval = compute_interval(float(frames.mean()), float(frames.mean()), frames, "mean", temperatures, number)
        assert interval is not None
        covered += interval.low <= 4 / 6 <= interval.high
    assert 0.87 <= covered / len(files) <= 0.99


def test_for_a_clip_that_is_scored_as_a_whole_only_the_calibration_is_resampled(fitted: np.ndarray) -> None:
    interval = compute_interval(0.8, 0.8, None, "mean", fitted, 0)
    assert interval is not None
    expected = [float(calibration.apply_temperature(np.array(0.8), float(t))) for t in fitted]
    assert interval.low == pytest.approx(min(np.percentile(expected, 2.5), 0.8))
    assert interval.high == pytest.approx(max(np.percentile(expected, 97.5), 0.8))


def test_too_few_clusters_give_no_interval() -> None:
    val = _val(40, 0.2).assign(cluster=lambda rows: rows["label"])
    assert len(fit_temperatures(val)) == 0
    assert len(fit_temperatures(val.head(0))) == 0
    assert compute_interval(0.5, 0.5, np.array([0.5]), "mean", fit_temperatures(val), 0) is None
