"""Calibrate scores to probabilities by Platt scaling (Platt, Probabilistic outputs for support vector machines, 1999), on their logits.

Two numbers, a slope and an intercept, move the logits of the scores. They keep their order, so that ROC-AUC and the classification at a
threshold stay the same; only the stated probabilities change.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.source_weights import WeightsByItem

BINS = 15
"""Number of bins, of equal width, in a reliability diagram, as in Guo et al., On calibration of modern neural networks (ICML 2017)."""
LOWEST, HIGHEST = 0.01, 0.99
"""The ends of the probabilities that are stated: no measurement on a few thousand items supports more certainty."""
_RIDGE, _PRECISION, _MAX_STEPS = 1e-4, 1e-9, 100
_EDGE = 1e-6  # scores are clipped this far from 0 and 1, since a float32 sigmoid can be exactly 0 or 1


@dataclass(frozen=True)
class ReliabilityBin:
    """The items whose probability lies in one bin of a reliability diagram.

    Attributes:
        low: lower end, included; the last bin includes its upper end too.
        high: upper end.
        items: number of items.
        mean_probability: their mean probability of ``fake``; None without items.
        fake_share: the share of fakes among them; None without items.
    """

    low: float
    high: float
    items: int
    mean_probability: float | None
    fake_share: float | None


@dataclass(frozen=True)
class PlattScaling:
    """A calibration: the logit of the probability is ``slope`` times the logit of the score plus ``intercept``.

    Attributes:
        slope: 0 or more, so that a higher score never gives a lower probability; 0 where the scores say nothing.
        intercept: moves all probabilities.
    """

    slope: float
    intercept: float

    def apply(self, scores: Floats) -> Floats:
        """Return the calibrated probabilities of ``fake``, between ``LOWEST`` and ``HIGHEST``, of the shape of ``scores``.

        Args:
            scores: in [0, 1].
        """
        return np.clip(np.asarray(expit(self.slope * _logits(scores) + self.intercept), np.float64), LOWEST, HIGHEST)


def fit_platt_scaling(is_fake: Bools, scores: Floats, weights: WeightsByItem | None = None) -> PlattScaling:
    """Fit the calibration with the lowest weighted log loss; slope 1 and intercept 0 (the scores as they are) if a class is missing.

    Both classes count equally, whatever their number of items, so the probability is that of a file which is as likely real as
    AI-generated. The targets are Platt's: (n + 1) / (n + 2) instead of 1 for a class of n independent units. A few units that are ranked
    without a mistake then do not make a probability nearly certain. A weak ridge on both parameters makes the fit unique.

    Args:
        is_fake: (n,) true labels of the items.
        scores: (n,) in [0, 1].
        weights: of the items; by default each item is a unit by itself.
    """
    if is_fake.all() or not is_fake.any():
        return PlattScaling(1.0, 0.0)
    by_item = weights or WeightsByItem.equal(is_fake)
    logits, units = _logits(scores), by_item.units
    targets = np.where(is_fake, (units["fake"] + 1) / (units["fake"] + 2), 1 / (units["real"] + 2))

    both = _minimize_log_loss(np.stack([logits, np.ones(len(logits))], axis=1), targets, by_item.values)
    if both[0] >= 0:
        return PlattScaling(float(both[0]), float(both[1]))
    (intercept,) = _minimize_log_loss(np.ones((len(logits), 1)), targets, by_item.values)  # the loss is convex: the best slope is 0
    return PlattScaling(0.0, float(intercept))


def _minimize_log_loss(columns: Floats, targets: Floats, weights: Floats) -> Floats:
    """Return the coefficients of the columns, (n, m), with the lowest weighted log loss, (m,): Newton's method with halved steps."""

    def loss(parameters: Floats) -> float:
        scaled = columns @ parameters
        return float(weights @ (np.logaddexp(0, scaled) - targets * scaled) + _RIDGE * parameters @ parameters)

    parameters = np.zeros(columns.shape[1])
    value = loss(parameters)
    for _ in range(_MAX_STEPS):
        fitted = expit(columns @ parameters)
        gradient = columns.T @ (weights * (fitted - targets)) + 2 * _RIDGE * parameters
        curvature = (columns.T * (weights * fitted * (1 - fitted))) @ columns + 2 * _RIDGE * np.eye(len(parameters))
        step = np.linalg.solve(curvature, gradient)
        while (lower := loss(parameters - step)) > value and np.abs(step).max() > _PRECISION:
            step /= 2
        if np.abs(step).max() <= _PRECISION:
            break
        parameters, value = parameters - step, lower
    return parameters


def reliability_bins(is_fake: Bools, probabilities: Floats) -> list[ReliabilityBin]:
    """Return the ``BINS`` bins of a reliability diagram, which compares probabilities with the shares of fakes.

    Args:
        is_fake: (n,) true labels.
        probabilities: (n,) of ``fake``, in [0, 1].
    """
    indices = bin_indices(probabilities)
    members = [indices == index for index in range(BINS)]
    return [_make_bin(index / BINS, (index + 1) / BINS, is_fake[rows], probabilities[rows]) for index, rows in enumerate(members)]


def bin_indices(probabilities: Floats) -> np.ndarray:
    """Return the index of each probability's bin, (n,), from 0 to ``BINS`` - 1."""
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


def _make_bin(low: float, high: float, is_fake: Bools, probabilities: Floats) -> ReliabilityBin:
    if not len(is_fake):
        return ReliabilityBin(low, high, 0, None, None)
    return ReliabilityBin(low, high, len(is_fake), float(probabilities.mean()), float(is_fake.mean()))


def _logits(scores: Floats) -> Floats:
    return np.asarray(logit(np.clip(scores, _EDGE, 1 - _EDGE)), np.float64)
