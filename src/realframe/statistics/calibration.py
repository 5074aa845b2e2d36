"""Temperature scaling: what a score is worth as a probability (Guo et al., On calibration of modern neural networks, ICML 2017).

One number, the temperature, divides the logits of the scores. It moves no item past another, so that ROC-AUC and every verdict at a
threshold stay what they are; only how sure they sound changes. It is fitted on validation items and on nothing else.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from realframe.statistics.arrays import Bools, Floats

BINS = 15
"""Bins of equal width of a reliability diagram, as in Guo et al."""
_BOUNDS = (0.05, 20.0)
_EDGE = 1e-6  # a score nearer to 0 or 1 is taken for this one: a float32 sigmoid gives exactly 0 and 1


@dataclass(frozen=True)
class Bin:
    """The items whose probability lies in one bin of a reliability diagram.

    Attributes:
        low: lower end, within; the last bin holds its upper end too.
        high: upper end.
        items: how many there are.
        mean: their mean probability of ``fake``; None without items.
        fake: the share of them that is fake; None without items.
    """

    low: float
    high: float
    items: int
    mean: float | None
    fake: float | None


def fit(fake: Bools, scores: Floats) -> float:
    """Return the temperature of the lowest log loss, between 0.05 and 20; 1 (the scores as they are) where a class is missing.

    The targets are Platt's (Probabilistic outputs for support vector machines, 1999): (n + 1) / (n + 2) of a class's n items instead
    of 1, else a few validation items that are told apart without a mistake would have it that no mistake is ever made.

    Args:
        fake: (n,) truth of the validation items.
        scores: (n,) their probabilities of ``fake``, in [0, 1].
    """
    if fake.all() or not fake.any():
        return 1.0
    logits, fakes, reals = _logits(scores), fake.sum(), (~fake).sum()
    targets = np.where(fake, (fakes + 1) / (fakes + 2), 1 / (reals + 2))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - targets * scaled))

    found = minimize_scalar(loss, bounds=tuple(np.log(_BOUNDS)), method="bounded", options={"xatol": 1e-8})
    return float(np.exp(found.x))


def apply(scores: Floats, temperature: float) -> Floats:
    """Return calibrated probabilities of ``fake``, of the shape of ``scores``; 0.5 stays 0.5 and the order stays.

    Args:
        scores: probabilities of ``fake``, in [0, 1].
        temperature: above 1 makes them less sure, below 1 surer.
    """
    return np.asarray(expit(_logits(scores) / temperature), np.float64)


def reliability(fake: Bools, probabilities: Floats) -> list[Bin]:
    """Return the ``BINS`` bins of a reliability diagram: how often what is called x % likely to be fake is fake.

    Args:
        fake: (n,) truth.
        probabilities: (n,) of ``fake``, in [0, 1].
    """
    places = bin_of(probabilities)
    chosen = [places == place for place in range(BINS)]
    return [_bin(place / BINS, (place + 1) / BINS, fake[rows], probabilities[rows]) for place, rows in enumerate(chosen)]


def bin_of(probabilities: Floats) -> np.ndarray:
    """Return the bin that each probability falls into, (n,), from 0 to ``BINS`` - 1."""
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


def _bin(low: float, high: float, fake: Bools, probabilities: Floats) -> Bin:
    if not len(fake):
        return Bin(low, high, 0, None, None)
    return Bin(low, high, len(fake), float(probabilities.mean()), float(fake.mean()))


def _logits(scores: Floats) -> Floats:
    return np.asarray(logit(np.clip(scores, _EDGE, 1 - _EDGE)), np.float64)
