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


def fit_probe(features: NDArray[np.float32], frames: pd.DataFrame, seed: int) -> Pipeline:
    """Fit the regression on training frames, with the item weights of the training, independent of the number of frames per item.

    C is the candidate with the best frame-level ROC-AUC in a grouped, stratified 5-fold cross-validation inside the training split;
    with fewer than 5 clusters of a class, C is 0.01.

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
    fake, clusters = selected["label"].to_numpy(), selected["cluster"].to_numpy(str)
    c = _select_c(features, fake, weights, clusters, seed)
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


def _select_c(
    features: NDArray[np.float32], fake: NDArray[np.int64], weights: NDArray[np.float64], clusters: NDArray[np.str_], seed: int
) -> float:
    if min(len(np.unique(clusters[fake == label])) for label in (0, 1)) < _FOLDS:
        return _DEFAULT_C
    folds = list(StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed).split(features, fake, clusters))
    folds = [(train, held_out) for train, held_out in folds if len(np.unique(fake[train])) == len(np.unique(fake[held_out])) == 2]
    if not folds:
        return _DEFAULT_C

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
