"""The floor: what a logistic regression on the features of the untrained backbone reaches on the same split.

A detector that ends below it has lost by its training what the backbone knew before. Alain & Bengio, Understanding intermediate
layers using linear classifier probes (2016).
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
    """Return the positions of the training frames that the floor learns from: at most 16 of each item, evenly spaced."""
    positions = pd.Series(np.arange(len(frames)))
    chosen = [rows.to_numpy()[_evenly(len(rows))] for _, rows in positions.groupby(frames["media_id"].to_numpy(), sort=False)]
    return np.sort(np.concatenate(chosen))


def fit_floor(features: NDArray[np.float32], frames: pd.DataFrame, splits: pd.DataFrame, seed: int) -> Pipeline:
    """Fit the regression on training frames; each item weighs what it weighs in training, however many frames it has.

    C is the candidate with the best frame-level ROC-AUC in a grouped, stratified 5-fold cross-validation inside the training split;
    with fewer than 5 clusters of a class it is 0.01.

    Args:
        features: (n, width) frozen features of the frames.
        frames: (n,) rows with ``media_id`` and ``label`` (1 is fake).
        splits: the items, with ``media_id``, ``cluster``, ``weight`` and ``repeat``.
        seed: of the folds.

    Returns:
        A fitted pipeline; ``scores`` reads it.
    """
    items = splits.set_index("media_id")
    fake, weights = frames["label"].to_numpy(), _weights(frames["media_id"], items)
    clusters = frames["media_id"].map(items["cluster"]).to_numpy(str)
    strength = _best_strength(features, fake, weights, clusters, seed)
    return _fitted(strength, features, fake, weights)


def scores(floor: Pipeline, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the floor's probability of ``fake`` of each row of features, (n,)."""
    return np.asarray(floor.predict_proba(features)[:, 1], np.float64)


def strength_of(floor: Pipeline) -> float:
    """Return the C that was chosen."""
    return float(floor[-1].C)


def _weights(media_ids: "pd.Series[str]", items: pd.DataFrame) -> NDArray[np.float64]:
    """An item's class weight and repeats, shared evenly by its frames; mean 1 over the items, so that C means the same for any frames."""
    frames_of_item = media_ids.groupby(media_ids).transform("size")
    weights = (media_ids.map(items["weight"] * items["repeat"]) / frames_of_item).to_numpy(np.float64)
    return weights * media_ids.nunique() / weights.sum()


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
        areas = [roc_auc_score(fake[held], scores(floor, features[held]), sample_weight=weights[held]) for floor, held in fits]
        return float(np.mean(areas))

    return max(STRENGTHS, key=quality)


def _fitted(strength: float, features: NDArray[np.float32], fake: NDArray[np.int64], weights: NDArray[np.float64]) -> Pipeline:
    floor = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=_ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after 300 steps a weak penalty has said what it has to say
        return floor.fit(features, fake, standardscaler__sample_weight=weights, logisticregression__sample_weight=weights)


def _evenly(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, _MAX_FRAMES)).round().astype(np.int64))
