"""Calibration and the band of the three-word verdicts: both fitted on validation items alone, measured on test items."""

from dataclasses import asdict

import numpy as np

from realframe.evaluation.score_tables import Figures, Level
from realframe.statistics import calibration, conformal
from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.classification_metrics import PROBABILITY_METRICS
from realframe.statistics.conformal import Band

_WORDS = ("real", "uncertain", "ai-generated")
_WRONG = {"real": "ai-generated", "fake": "real"}


def measure(val: Level, test: Level, column: str, temperature: float, error: float) -> Figures:
    """Return ``temperature``, ``band``, ``calibration`` and ``verdicts`` as in ``metrics.json``.

    Args:
        val: the validation items.
        test: the test items.
        column: of the raw scores.
        temperature: fitted on the validation items.
        error: the share of each class that may be wrong.
    """
    band = conformal.fit(val.fake, calibration.apply(val.scores(column), temperature), error)
    raw = test.scores(column)
    calibrated = calibration.apply(raw, temperature)
    return {
        "temperature": temperature,
        "band": {**asdict(band), "asked": error},
        "calibration": {"before": _reliability(test, column, raw), "after": _reliability(test, column, calibrated)},
        "verdicts": _verdicts(test, calibrated, band),
    }


def _reliability(test: Level, column: str, probabilities: Floats) -> Figures:
    summary = test.figures(column, 0.5, probabilities)
    bins = [asdict(entry) for entry in calibration.reliability(test.fake, probabilities)]
    return {name: summary[name] for name in PROBABILITY_METRICS} | {"bins": bins}


def _verdicts(test: Level, probabilities: Floats, band: Band) -> Figures:
    """How often each word falls on each class; the shares of all that is uncertain, and of each class that is called the other."""
    said = np.array([band.verdict(probability) for probability in probabilities])
    classes: dict[str, Bools] = {"real": ~test.fake, "fake": test.fake}
    counts = {label: {word: int((said[rows] == word).sum()) for word in _WORDS} for label, rows in classes.items()}
    wrong = {label: test.share(said == _WRONG[label], rows) for label, rows in classes.items()}
    return {**counts, "uncertain": test.share(said == "uncertain", np.ones_like(test.fake)), "wrong": wrong}
