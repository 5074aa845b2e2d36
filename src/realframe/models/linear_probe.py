"""Fit the linear probe: a logistic regression on the pooled features of an untrained backbone.

It is the baseline of every evaluation: training made a detector below it worse than the untrained backbone. It also initializes the head
of a frozen backbone. Alain and Bengio, "Understanding intermediate layers using linear classifier probes" (2016).
"""

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from realframe.statistics.source_weights import MIN_SOURCES

C_VALUES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""The candidates for C, the inverse of the ridge penalty, from strong to weak regularization."""
_DEFAULT_C = 1e-2
_FOLDS = 5
_MAX_FRAMES = 16  # of one item, evenly spaced; neighboring frames of a video add computation, but little information
_ITERATIONS = 300


def select_training_rows(frames: pd.DataFrame) -> NDArray[np.int64]:
    """Return the positions of the frames that the probe is fitted on: at most 16 of each item, evenly spaced."""
    positions = pd.Series(np.arange(len(frames)))
    selected = [rows.to_numpy()[_evenly_spaced(len(rows))] for _, rows in positions.groupby(frames["media_id"].to_numpy(), sort=False)]
    return np.sort(np.concatenate(selected))


def select_group_column(frames: pd.DataFrame) -> str:
    """Return what the folds that select C leave out: ``source`` with at least 3 sources of each class, else ``cluster``.

    What works best on the sources of the training need not work on others.

    Args:
        frames: the training frames; items without a source form one.
    """
    return "source" if frames.groupby("label")["source"].nunique().reindex([0, 1], fill_value=0).min() >= MIN_SOURCES else "cluster"


def fit_probe(features: NDArray[np.float32], frames: pd.DataFrame, seed: int) -> Pipeline:
    """Fit the regression on training frames, with the item weights of the training, independent of the number of frames per item.

    C is the candidate with the best frame-level ROC-AUC in a grouped, stratified cross-validation in at most 5 folds inside the training
    split, which leaves out whole sources where there are enough: see :func:`select_group_column`. Without enough groups C is 0.01.

    Args:
        features: (n, width) frozen features of the frames.
        frames: (n,) rows of ``realframe.data.batches.build_frame_table``; of an item with many frames not all are used.
        seed: of the folds.

    Returns:
        A fitted pipeline, for ``predict_scores`` and ``get_coefficients``.
    """
    rows = select_training_rows(frames)
    selected, features = frames.iloc[rows], features[rows]
    weights = _frame_weights(frames, selected["media_id"])
    column = select_group_column(frames)
    fake, groups = selected["label"].to_numpy(), selected[column].to_numpy(str)
    folds = _make_folds(fake, groups, MIN_SOURCES if column == "source" else _FOLDS, seed)
    c = _select_c(features, fake, weights, folds) if folds else _DEFAULT_C
    return _fit_pipeline(c, features, fake, weights)


def predict_scores(probe: Pipeline, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probability of ``fake`` for each row of features, (n,)."""
    return np.asarray(probe.predict_proba(features)[:, 1], np.float64)


def get_c(probe: Pipeline) -> float:
    """Return the selected C."""
    return float(probe[-1].C)


def get_coefficients(probe: Pipeline) -> tuple[NDArray[np.float64], float]:
    """Return weights (width,) and bias for unscaled features: the log-odds are ``features @ weights + bias``."""
    scaler, regression = probe[0], probe[-1]
    weights = regression.coef_[0] / scaler.scale_
    return weights, float(regression.intercept_[0] - weights @ scaler.mean_)


def _frame_weights(frames: pd.DataFrame, selected: "pd.Series[str]") -> NDArray[np.float64]:
    """Divide each item's weight times repeats evenly among its frames; the mean over items is 1, so that C means the same for all."""
    item_weights = (frames["weight"] * frames["repeat"]).groupby(frames["media_id"]).sum()
    weights = (selected.map(item_weights) / selected.groupby(selected).transform("size")).to_numpy(np.float64)
    return weights * len(item_weights) / weights.sum()


def _make_folds(fake: NDArray[np.int64], groups: NDArray[np.str_], min_groups: int, seed: int) -> list[tuple[NDArray[np.int64], ...]]:
    """Return training and held-out rows of each fold with both classes in both; none with fewer groups of a class."""
    count = min(_FOLDS, *(len(np.unique(groups[fake == label])) for label in (0, 1)))
    if count < min_groups:
        return []
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(groups, fake, groups)
    return [rows for rows in folds if all(len(np.unique(fake[part])) == 2 for part in rows)]


def _select_c(
    features: NDArray[np.float32], fake: NDArray[np.int64], weights: NDArray[np.float64], folds: list[tuple[NDArray[np.int64], ...]]
) -> float:
    def mean_roc_auc(c: float) -> float:
        fits = [(_fit_pipeline(c, features[train], fake[train], weights[train]), held_out) for train, held_out in folds]
        areas = [
            roc_auc_score(fake[held_out], predict_scores(probe, features[held_out]), sample_weight=weights[held_out])
            for probe, held_out in fits
        ]
        return float(np.mean(areas))

    return max(C_VALUES, key=mean_roc_auc)


def _fit_pipeline(c: float, features: NDArray[np.float32], fake: NDArray[np.int64], weights: NDArray[np.float64]) -> Pipeline:
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=_ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # with a weak penalty 300 iterations are enough for the score
        return probe.fit(features, fake, standardscaler__sample_weight=weights, logisticregression__sample_weight=weights)


def _evenly_spaced(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, _MAX_FRAMES)).round().astype(np.int64))
