"""Fit the temperature and the band of uncertain verdicts on the validation items, and measure both on the test items.

The stage ``evaluate`` writes temperature, threshold and band to ``reports/metrics.json``; registration stores them with the version
(``realframe.registry.model_logging``); ``realframe detect`` reads them from it (``realframe.detection.loaded_model``) and calibrates each
score with them (``realframe.detection.confidence``).
"""

from dataclasses import asdict

import numpy as np

from realframe.evaluation.scored_rows import Figures, ScoredRows
from realframe.statistics import calibration, conformal
from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.classification_metrics import PROBABILITY_METRICS
from realframe.statistics.conformal import UncertaintyBand

_VERDICTS = ("real", "uncertain", "ai-generated")
_WRONG_VERDICT = {"real": "ai-generated", "fake": "real"}


def fit_item_temperature(val: ScoredRows, column: str) -> float:
    """Fit the temperature that calibrates the scores of a column.

    Args:
        val: the validation items.
        column: the score column.
    """
    return calibration.fit_temperature(val.is_fake, val.scores(column))


def compute_calibration_figures(val: ScoredRows, test: ScoredRows, column: str, temperature: float, error: float) -> Figures:
    """Fit the band and return ``temperature``, ``band``, ``calibration`` and ``verdicts`` of ``metrics.json``.

    Args:
        val: the validation items.
        test: the test items.
        column: the score column.
        temperature: result of :func:`fit_item_temperature`.
        error: share of each class whose verdict may be wrong.
    """
    band = conformal.fit_band(val.is_fake, calibration.apply_temperature(val.scores(column), temperature), error)
    raw = test.scores(column)
    calibrated = calibration.apply_temperature(raw, temperature)
    return {
        "temperature": temperature,
        "band": {**asdict(band), "requested_error": error},
        "calibration": {"before": _reliability_figures(test, column, raw), "after": _reliability_figures(test, column, calibrated)},
        "verdicts": _verdict_figures(test, calibrated, band),
    }


def _reliability_figures(test: ScoredRows, column: str, probabilities: Floats) -> Figures:
    metrics = test.compute_metrics(column, 0.5, probabilities)
    bins = [asdict(entry) for entry in calibration.reliability_bins(test.is_fake, probabilities)]
    return {name: metrics[name] for name in PROBABILITY_METRICS} | {"bins": bins}


def _verdict_figures(test: ScoredRows, probabilities: Floats, band: UncertaintyBand) -> Figures:
    """Count each verdict per class; return also the share of uncertain items and the share of each class with the wrong verdict."""
    verdicts = np.array([band.verdict(probability) for probability in probabilities])
    classes: dict[str, Bools] = {"real": ~test.is_fake, "fake": test.is_fake}
    counts = {label: {verdict: int((verdicts[rows] == verdict).sum()) for verdict in _VERDICTS} for label, rows in classes.items()}
    wrong = {label: test.compute_share(verdicts == _WRONG_VERDICT[label], rows) for label, rows in classes.items()}
    return {**counts, "uncertain": test.compute_share(verdicts == "uncertain", np.ones_like(test.is_fake)), "wrong": wrong}
