"""Calibrate scores to probabilities by temperature scaling (Guo et al., On calibration of modern neural networks, ICML 2017).

One number, the temperature, divides the logits of the scores. It keeps their order, so that ROC-AUC and the verdicts at a threshold
stay the same; only the stated probabilities change. It is fitted on validation items only.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from realframe.statistics.arrays import Bools, Floats

BINS = 15
"""Number of bins, of equal width, in a reliability diagram, as in Guo et al."""
_BOUNDS = (0.05, 20.0)
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


def fit_temperature(is_fake: Bools, scores: Floats) -> float:
    """Return the temperature with the lowest log loss, between 0.05 and 20; 1 (the scores as they are) if a class is missing.

    The targets are Platt's (Probabilistic outputs for support vector machines, 1999): (n + 1) / (n + 2) of a class's n items instead
    of 1. Otherwise a few validation items without a mistake would make every probability nearly certain.

    Args:
        is_fake: (n,) true labels of the validation items.
        scores: (n,) their probabilities of ``fake``, in [0, 1].
    """
    if is_fake.all() or not is_fake.any():
        return 1.0
    logits, fake_count, real_count = _logits(scores), is_fake.sum(), (~is_fake).sum()
    targets = np.where(is_fake, (fake_count + 1) / (fake_count + 2), 1 / (real_count + 2))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - targets * scaled))

    result = minimize_scalar(loss, bounds=tuple(np.log(_BOUNDS)), method="bounded", options={"xatol": 1e-8})
    return float(np.exp(result.x))


def apply_temperature(scores: Floats, temperature: float) -> Floats:
    """Return calibrated probabilities of ``fake``, of the shape of ``scores``; 0.5 stays 0.5 and the order stays.

    Args:
        scores: probabilities of ``fake``, in [0, 1].
        temperature: above 1 makes them less certain, below 1 more certain.
    """
    return np.asarray(expit(_logits(scores) / temperature), np.float64)


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
