"""The interval of a probability, and the verdict on each kind: deterministic, of frames and calibration, and with its abstention."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realframe.detection.confidence import VerdictRule, compute_interval
from realframe.errors import RegistryError
from realframe.models.aggregate import Aggregate, aggregate_scores
from realframe.statistics.calibration import PlattScaling

FITTED = [PlattScaling(slope, intercept) for slope, intercept in zip(np.linspace(0.5, 1.5, 200), np.sin(range(200)), strict=True)]
REASON = "This detector gives no verdict on images: it is a test."


def _interval(frames: list[float], aggregate: Aggregate, fitted: list[PlattScaling], seed: int = 0) -> tuple[float, float, float]:
    score = aggregate_scores(frames, aggregate)
    probability = float(PlattScaling(1.0, 0.0).apply(np.array(score)))
    interval = compute_interval(probability, score, np.array(frames), aggregate, fitted, seed)
    assert interval is not None
    return interval.low, probability, interval.high


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from(["mean", "median", "top_k", "confident"]), st.integers(0, 9))
def test_it_contains_the_probability_and_is_deterministic(frames: list[float], aggregate: Aggregate, seed: int) -> None:
    low, probability, high = _interval(frames, aggregate, FITTED, seed)
    assert 0.01 <= low <= probability <= high <= 0.99
    assert (low, probability, high) == _interval(frames, aggregate, FITTED, seed)


def test_frames_that_disagree_make_it_wider() -> None:
    (low, _, high), (lower, _, higher) = (_interval(frames, "mean", FITTED) for frames in ([0.8] * 10, [0.7, 0.9] * 5))
    assert 0 < high - low < higher - lower


def test_a_calibration_that_varies_makes_it_wider() -> None:
    steady = [PlattScaling(1.0, 0.01 * shift) for shift in np.sin(range(200))]
    (low, _, high), (lower, _, higher) = (_interval([0.7], "mean", fitted) for fitted in (steady, FITTED))
    assert lower < low and high < higher


def test_it_covers_other_frames_of_the_same_file_at_its_level() -> None:
    """Of files whose frames are drawn from one distribution, the interval holds the score of all frames in about 95 of 100."""
    random, fitted = np.random.default_rng(5), [PlattScaling(1.0, 0.0)] * 200
    files = random.beta(4, 2, size=(100, 30))
    covered = 0
    for number, frames in enumerate(files):
        interval = compute_interval(float(frames.mean()), float(frames.mean()), frames, "mean", fitted, number)
        assert interval is not None
        covered += interval.low <= 4 / 6 <= interval.high
    assert 0.87 <= covered / len(files) <= 0.99


def test_for_a_clip_that_is_scored_as_a_whole_only_the_calibration_is_resampled() -> None:
    interval = compute_interval(0.8, 0.8, None, "mean", FITTED, 0)
    assert interval is not None
    expected = [float(scaling.apply(np.array(0.8))) for scaling in FITTED]
    assert interval.low == pytest.approx(min(np.percentile(expected, 2.5), 0.8))
    assert interval.high == pytest.approx(max(np.percentile(expected, 97.5), 0.8))


def test_without_resamples_there_is_no_interval() -> None:
    assert compute_interval(0.5, 0.5, np.array([0.5]), "mean", [], 0) is None


def _rule(judged_kinds: dict[str, str], *, is_competent: bool) -> VerdictRule:
    competence = {"is_competent": is_competent, "code": "" if is_competent else "low-roc-auc", "reason": "" if is_competent else REASON}
    image = {"slope": 2.0, "intercept": -1.0, "band": {"low": 0.3, "high": 0.6, "error": 0.1, "requested_error": 0.1}}
    image |= {"competence": competence, "resamples": {"slope": [2.0, 2.1], "intercept": [-1.0, -0.9]}}
    return VerdictRule.from_evaluation({"threshold": 0.5, "verdict": {"image": image}}, "version 1", judged_kinds)


def test_a_competent_kind_is_judged_by_its_band() -> None:
    of_kind = _rule({}, is_competent=True).for_kind("image")
    assert [of_kind.find_verdict(probability) for probability in (0.2, 0.5, 0.7)] == ["real", "uncertain", "ai-generated"]
    assert of_kind.abstention is None and len(of_kind.resamples) == 2
    assert of_kind == _rule({"image": "why not"}, is_competent=True).for_kind("image")  # nothing to override


def test_an_incompetent_kind_is_uncertain_unless_a_reviewer_decided_to_judge_it() -> None:
    of_kind = _rule({"video": "of another kind"}, is_competent=False).for_kind("image")
    assert {of_kind.find_verdict(probability) for probability in (0.01, 0.5, 0.99)} == {"uncertain"}
    assert of_kind.abstention is not None
    assert (of_kind.abstention.code, of_kind.abstention.reason) == ("low-roc-auc", REASON)
    judged = _rule({"image": "a trial"}, is_competent=False).for_kind("image")
    assert [judged.find_verdict(probability) for probability in (0.2, 0.5, 0.7)] == ["real", "uncertain", "ai-generated"]
    assert (judged.abstention, judged.override, judged.overridden) == (None, "a trial", of_kind.abstention)


def test_a_kind_that_the_training_lacks_is_uncertain() -> None:
    of_kind = _rule({"video": "no matter"}, is_competent=True).for_kind("video")
    assert {of_kind.find_verdict(probability) for probability in (0.01, 0.5, 0.99)} == {"uncertain"}
    assert of_kind.abstention is not None
    assert "trained without any" in of_kind.abstention.reason


def test_figures_of_an_older_version_are_refused() -> None:
    with pytest.raises(RegistryError, match="version 1: was evaluated by an older version of realframe, without a rule"):
        VerdictRule.from_evaluation({"threshold": 0.5, "temperature": 1.0, "band": {"low": 0.3}}, "version 1")
