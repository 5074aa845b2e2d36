"""Measure how well the frozen features tell two sources of real media apart.

Where they tell real sources apart as well as they tell real from AI-generated media, a detector on them may know sources instead of
traces of generation. One of the controls of VidAudit: Cakiroglu et al., "Auditing Generalization in AI-Generated Video Detection" (2026),
arXiv 2606.31004.
"""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from realframe.data.source_groups import name_sources

HIGH_ROC_AUC = 0.70
"""Above this mean ROC-AUC the report warns."""
MIN_CLUSTERS = 5
"""A source with fewer clusters of real items is not compared."""
_MAX_SOURCES = 10  # the largest; 45 pairs cost a few seconds
_FOLDS = 5
_C = 1e-2  # of the logistic regression, as in the linear probe of small datasets
_ITERATIONS = 300


def compare_real_sources(items: pd.DataFrame, features: pd.DataFrame | None, seed: int) -> dict[str, Any]:
    """Return the figures of one kind: the ROC-AUC of a linear probe between two real sources, as a mean over pairs.

    The probe is a logistic regression on the mean feature vector of each item, cross-validated in 5 folds of clusters.

    Args:
        items: the items of the kind, with ``media_id``, ``label``, ``source`` and ``cluster``; AI-generated ones are left out.
        features: ``media_id`` and ``mean`` of each item, or None.
        seed: of the folds.

    Returns:
        ``value``, ``pairs`` (their number), ``highest`` (``sources`` and ``value``), ``is_high`` (above 0.70). Without two sources of at
        least 5 clusters, ``value`` and ``highest`` are None.
    """
    nothing = {"value": None, "pairs": 0, "highest": None, "is_high": False}
    if features is None:
        return nothing
    table = _list_real_items(items, features)
    names = _find_large_sources(table)
    values = {pair: _cross_validate(table[table["source"].isin(pair)].reset_index(drop=True), seed) for pair in combinations(names, 2)}
    known = {pair: value for pair, value in values.items() if value is not None}
    if not known:
        return nothing
    highest = max(known, key=lambda pair: known[pair])  # the first of equals
    mean = float(np.mean(list(known.values())))
    return {
        "value": mean,
        "pairs": len(known),
        "highest": {"sources": list(highest), "value": known[highest]},
        "is_high": mean > HIGH_ROC_AUC,
    }


def _list_real_items(items: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    real = items[items["label"] == "real"].assign(source=name_sources)[["media_id", "source", "cluster"]]
    return real.merge(features, on="media_id").sort_values("media_id", ignore_index=True)


def _find_large_sources(table: pd.DataFrame) -> list[str]:
    clusters = table.groupby("source")["cluster"].nunique().sort_index()
    enough = clusters[clusters >= MIN_CLUSTERS].sort_values(ascending=False, kind="stable")
    return sorted(str(name) for name in enough.index[:_MAX_SOURCES])


def _cross_validate(table: pd.DataFrame, seed: int) -> float | None:
    """Return the ROC-AUC over all held-out items of two sources; None if no fold can be made."""
    is_second = (table["source"] == table["source"].max()).to_numpy()
    features, clusters = np.stack(table["mean"].to_list()).astype(np.float64), table["cluster"].to_numpy(str)
    scores: NDArray[np.float64] = np.full(len(table), np.nan)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed).split(features, is_second, clusters)
    for train, held_out in folds:
        if len(np.unique(is_second[train])) == 2 and len(held_out):
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=_ITERATIONS, class_weight="balanced"))
            scores[held_out] = probe.fit(features[train], is_second[train]).decision_function(features[held_out])
    is_scored = ~np.isnan(scores)
    if len(np.unique(is_second[is_scored])) < 2:
        return None
    return float(roc_auc_score(is_second[is_scored], scores[is_scored]))
