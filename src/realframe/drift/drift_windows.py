"""Cuts a model's predictions into windows. A window that is full never changes, so that it is measured once.

One window of predictions beside the model's reference: the scores by PSI and KS, the features by MMD.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from realframe import artifacts
from realframe.drift.drift_rules import DriftRules, Span
from realframe.errors import RegistryError
from realframe.models import frame_features
from realframe.registry import evidence_bundle
from realframe.registry.model_version import ModelVersion
from realframe.statistics import distribution_shift
from realframe.statistics.hypothesis_tests import holm
from realframe.store.user_documents import Measure, Prediction


@dataclass(frozen=True)
class PredictionWindow:
    """A stretch of predictions.

    Attributes:
        name: by which it is found again: its number, or the hour at which it begins.
        predictions: the oldest first.
    """

    name: str
    predictions: tuple[Prediction, ...]


def cut(predictions: Sequence[Prediction], span: Span, until: datetime) -> tuple[list[PredictionWindow], int]:
    """Return the full windows, the oldest first, and how many predictions wait for theirs to be full.

    Args:
        predictions: of one model.
        span: how far a window reaches. Windows of hours begin at whole multiples of them since 1970, UTC.
        until: the present.
    """
    ordered = sorted(predictions, key=lambda prediction: (prediction.at, prediction.key))
    windows = _by_number(ordered, span.items) if span.items else _by_hours(ordered, span.hours or 1, until)
    return windows, len(ordered) - sum(len(window.predictions) for window in windows)


def _by_number(ordered: list[Prediction], items: int) -> list[PredictionWindow]:
    full = range(0, len(ordered) - len(ordered) % items, items)
    return [PredictionWindow(f"n{items}-{start // items + 1}", tuple(ordered[start : start + items])) for start in full]


def _by_hours(ordered: list[Prediction], hours: int, until: datetime) -> list[PredictionWindow]:
    length = timedelta(hours=hours).total_seconds()
    groups = groupby(ordered, key=lambda prediction: int(datetime.fromisoformat(prediction.at).timestamp() // length))
    found = [(datetime.fromtimestamp(number * length, UTC), tuple(some)) for number, some in groups]
    return [PredictionWindow(f"h{hours}-{begins:%Y%m%dT%H}", some) for begins, some in found if begins + timedelta(hours=hours) <= until]


_PER_BIN = 10  # items that a bin of the PSI holds on average; an empty one, as fewer bring, looks like a large shift
_ROWS = 1000  # of the reference, for the features: the test grows with their square


@dataclass(frozen=True)
class DriftReference:
    """What the model made of items like those that it was made for.

    Attributes:
        scores: of the validation items, float64 (n,): it was not trained on them, so that they look like new ones.
        features: of validation and training items, (m, width).
    """

    scores: NDArray[np.float64]
    features: NDArray[np.float64]


def reference_of(version: ModelVersion) -> DriftReference:
    """Return a version's reference, from the evidence that went with it. Raises RegistryError where it has none."""
    file = evidence_bundle.fetch(version) / artifacts.REFERENCE.name
    if not file.exists():
        hint = f"Evaluate it anew: `realframe evaluate {version.version}`."
        raise RegistryError(f"version {version.version}", "was registered without a reference for drift", hint)
    table = pd.read_parquet(file)
    val = table["split"] == "val"
    return DriftReference(table.loc[val, "score"].to_numpy(np.float64), np.stack(table["features"].to_list())[-_ROWS:].astype(np.float64))


def measures(predictions: Sequence[Prediction], reference: DriftReference, rules: DriftRules) -> tuple[Measure, ...]:
    """Return how far a window lies from the reference; nothing where either is too small to tell.

    The three answer one question, so that their p-values are adjusted (Holm). The PSI must be beyond its limit and beyond luck: with
    equal distributions, PSI / (1/n + 1/m) is about chi-squared with bins - 1 degrees of freedom (Yurdakul & Naranjo, J. Risk Model
    Validation 14, 2020).
    """
    if min(len(predictions), len(reference.scores)) < rules.min_items:
        return ()
    scores = np.array([prediction.score for prediction in predictions])
    features = np.stack([frame_features.from_text(prediction.features) for prediction in predictions]).astype(np.float64)
    bins = min(distribution_shift.BINS, max(2, min(len(scores), len(reference.scores)) // _PER_BIN))
    psi, ks, mmd = (
        distribution_shift.psi(reference.scores, scores, bins),
        distribution_shift.ks(reference.scores, scores),
        distribution_shift.mmd(reference.features, features),
    )
    by_luck = float(chi2.sf(psi.value / (1 / len(reference.scores) + 1 / len(scores)), bins - 1))
    p_psi, p_ks, p_mmd = holm([by_luck, float(ks.p or 0.0), float(mmd.p or 0.0)])
    return (
        Measure(name="score_psi", value=psi.value, p=p_psi, beyond=psi.value > rules.psi and p_psi < rules.level),
        Measure(name="score_ks", value=ks.value, p=p_ks, beyond=p_ks < rules.level),
        Measure(name="feature_mmd", value=mmd.value, p=p_mmd, beyond=p_mmd < rules.level),
    )
