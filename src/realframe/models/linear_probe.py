"""A linear probe: a logistic regression on the pooled features of an untrained backbone.

It is the baseline of every evaluation (a detector that ends below it has lost by its training what the backbone knew before), and where the
head of a frozen backbone begins to learn. Alain and Bengio, "Understanding intermediate layers using linear classifier probes" (2016).
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

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""The candidates for C, the inverse of the ridge penalty, from strongly to weakly regularised."""
_FALLBACK = 1e-2
_FOLDS = 5
_MAX_FRAMES = 16  # of one item, evenly spaced; neighbouring frames of a video add work, not knowledge
_ITERATIONS = 300


def fit_rows(frames: pd.DataFrame) -> NDArray[np.int64]:
    """Return the positions of the training frames that the probe learns from: at most 16 of each item, evenly spaced."""
    positions = pd.Series(np.arange(len(frames)))
    chosen = [rows.to_numpy()[_evenly(len(rows))] for _, rows in positions.groupby(frames["media_id"].to_numpy(), sort=False)]
    return np.sort(np.concatenate(chosen))


def fit(features: NDArray[np.float32], frames: pd.DataFrame, seed: int) -> Pipeline:
    """Fit the regression on training frames; each item weighs what it weighs in training, however many frames it has.

    C is the candidate with the best frame-level ROC-AUC in a grouped, stratified 5-fold cross-validation inside the training split;
    with fewer than 5 clusters of a class it is 0.01.

    Args:
        features: (n, width) frozen features of the frames.
        frames: (n,) rows of ``realframe.data.batches.frame_table``; of an item with many frames not all are used.
        seed: of the folds.

    Returns:
        A fitted pipeline; ``scores`` and ``linear`` read it.
    """
    rows = fit_rows(frames)
    chosen, features = frames.iloc[rows], features[rows]
    weights = _weights(frames, chosen["media_id"])
    fake, clusters = chosen["label"].to_numpy(), chosen["cluster"].to_numpy(str)
    strength = _best_strength(features, fake, weights, clusters, seed)
    return _fitted(strength, features, fake, weights)


def scores(probe: Pipeline, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probe's probability of ``fake`` of each row of features, (n,)."""
    return np.asarray(probe.predict_proba(features)[:, 1], np.float64)


def strength_of(probe: Pipeline) -> float:
    """Return the C that was chosen."""
    return float(probe[-1].C)


def linear(probe: Pipeline) -> tuple[NDArray[np.float64], float]:
    """Return the regression as weights (width,) and a bias on the features as they are: its log-odds are ``features @ weights + bias``."""
    scaler, regression = probe[0], probe[-1]
    weights = regression.coef_[0] / scaler.scale_
    return weights, float(regression.intercept_[0] - weights @ scaler.mean_)


def _weights(frames: pd.DataFrame, chosen: "pd.Series[str]") -> NDArray[np.float64]:
    """An item's weight and repeats, shared evenly by its chosen frames; mean 1 over the items, so that C means the same for any frames."""
    of_item = (frames["weight"] * frames["repeat"]).groupby(frames["media_id"]).sum()
    weights = (chosen.map(of_item) / chosen.groupby(chosen).transform("size")).to_numpy(np.float64)
    return weights * len(of_item) / weights.sum()


def _best_strength(
    features: NDArray[np.float32], fake: NDArray[np.int64], weights: NDArray[np.float64], clusters: NDArray[np.str_], seed: int
) -> float:
    if min(len(np.unique(clusters[fake == label])) for label in (0, 1)) < _FOLDS:
        return _FALLBACK
    folds = list(StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed).split(features, fake, clusters))
    folds = [(train, held) for train, held in folds if len(np.unique(fake[train])) == len(np.unique(fake[held])) == 2]
    if not folds:
        return _FALLBACK

    def quality(strength: float) -> float:
        fits = [(_fitted(strength, features[train], fake[train], weights[train]), held) for train, held in folds]
        areas = [roc_auc_score(fake[held], scores(probe, features[held]), sample_weight=weights[held]) for probe, held in fits]
        return float(np.mean(areas))

    return max(STRENGTHS, key=quality)


def _fitted(strength: float, features: NDArray[np.float32], fake: NDArray[np.int64], weights: NDArray[np.float64]) -> Pipeline:
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=_ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after 300 steps a weak penalty has said what it has to say
        return probe.fit(features, fake, standardscaler__sample_weight=weights, logisticregression__sample_weight=weights)


def _evenly(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, _MAX_FRAMES)).round().astype(np.int64))
