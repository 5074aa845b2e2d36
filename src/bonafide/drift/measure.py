"""One window of predictions beside the model's reference: the scores by PSI and KS, the features by MMD."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from bonafide import artefacts
from bonafide.drift.rules import Rules
from bonafide.errors import RegistryError
from bonafide.metadata.added import Measure, Prediction
from bonafide.models import records
from bonafide.statistics import drift
from bonafide.statistics.several import holm
from bonafide.tracking import evidence
from bonafide.tracking.version import ModelVersion

_PER_BIN = 10  # items that a bin of the PSI holds on average; an empty one, as fewer bring, looks like a large shift
_ROWS = 1000  # of the reference, for the features: the test grows with their square


@dataclass(frozen=True)
class Reference:
    """What the model made of items like those that it was made for.

    Attributes:
        scores: of the validation items, float64 (n,): it was not trained on them, so that they look like new ones.
        features: of validation and training items, (m, width).
    """

    scores: NDArray[np.float64]
    features: NDArray[np.float64]


def reference_of(version: ModelVersion) -> Reference:
    """Return a version's reference, from the evidence that went with it. Raises RegistryError where it has none."""
    file = evidence.fetch(version) / artefacts.REFERENCE.name
    if not file.exists():
        cure = f"Evaluate it anew: `bonafide evaluate {version.version}`."
        raise RegistryError(f"version {version.version}", "was registered without a reference for drift", cure)
    table = pd.read_parquet(file)
    val = table["split"] == "val"
    return Reference(table.loc[val, "score"].to_numpy(np.float64), np.stack(table["features"].to_list())[-_ROWS:].astype(np.float64))


def measures(predictions: Sequence[Prediction], reference: Reference, rules: Rules) -> tuple[Measure, ...]:
    """Return how far a window lies from the reference; nothing where either is too small to tell.

    The three answer one question, so that their p-values are adjusted (Holm). The PSI must be beyond its limit and beyond luck: with
    equal distributions, PSI / (1/n + 1/m) is about chi-squared with bins - 1 degrees of freedom (Yurdakul & Naranjo, J. Risk Model
    Validation 14, 2020).
    """
    if min(len(predictions), len(reference.scores)) < rules.min_items:
        return ()
    scores = np.array([prediction.score for prediction in predictions])
    features = np.stack([records.from_text(prediction.features) for prediction in predictions]).astype(np.float64)
    bins = min(drift.BINS, max(2, min(len(scores), len(reference.scores)) // _PER_BIN))
    psi, ks, mmd = drift.psi(reference.scores, scores, bins), drift.ks(reference.scores, scores), drift.mmd(reference.features, features)
    by_luck = float(chi2.sf(psi.value / (1 / len(reference.scores) + 1 / len(scores)), bins - 1))
    p_psi, p_ks, p_mmd = holm([by_luck, float(ks.p or 0.0), float(mmd.p or 0.0)])
    return (
        Measure(name="score_psi", value=psi.value, p=p_psi, beyond=psi.value > rules.psi and p_psi < rules.level),
        Measure(name="score_ks", value=ks.value, p=p_ks, beyond=p_ks < rules.level),
        Measure(name="feature_mmd", value=mmd.value, p=p_mmd, beyond=p_mmd < rules.level),
    )
