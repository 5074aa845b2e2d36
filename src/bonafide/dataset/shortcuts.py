"""Can file facts alone, without a look at the pictures, tell the classes apart? Then a detector may learn them instead of the traces.

A detector of generated images was seen to be one of JPEG quality and size: Grommelt et al. (2024), "Fake or JPEG? Revealing common
biases in generated image detection datasets".
"""

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

_NAMES = ["codec", "container"]
_TREES = 200
_LEAF = 3  # items per leaf, so that a tree can't learn single files by heart
_DIGITS = 4

Report = dict[str, int | float | str | dict[str, float]]


def audit(media: pd.DataFrame, folds: int, seed: int) -> dict[str, Report]:
    """Measure, for each kind, how well a random forest on file facts tells real from fake in a grouped, stratified cross-validation.

    Args:
        media: the rows of ``data/media.parquet``.
        folds: of the cross-validation; fewer where a class has fewer groups.
        seed: of the folds and the forest.

    Returns:
        For each kind ``items``, ``real``, ``fake``, ``folds``, ``balanced_accuracy`` (0.5 is chance, 1 is complete) and ``facts``: the
        balanced accuracy of a decision tree on each fact alone, the highest first. Where there are too few items for folds, ``note``
        says so instead of the last three.
    """
    ordered = media.sort_values("media_id")
    return {str(kind): _audit_kind(items, folds, seed) for kind, items in ordered.groupby("kind")}


def facts_of(items: pd.DataFrame) -> pd.DataFrame:
    """Return the facts that are audited, one row per item: all that a file says of itself before its pictures are looked at."""
    pixels = (items["width"] * items["height"]).clip(lower=1)
    return pd.DataFrame(
        {
            "width": items["width"],
            "height": items["height"],
            "aspect": items["width"] / items["height"].clip(lower=1),
            "pixels": pixels,
            "rotation": items["rotation"],
            "bytes": items["bytes"],
            "bytes_per_pixel": items["bytes"] / (pixels * items["frames"].clip(lower=1)),
            "bits_per_s": 8 * items["bytes"] / items["duration_s"].where(items["duration_s"] > 0, np.inf),
            "fps": items["fps"],
            "variable_fps": items["variable_fps"].astype(int),
            "frames": items["frames"],
            "duration_s": items["duration_s"],
            "codec": items["codec"],
            "container": items["container"],
        }
    )


def _audit_kind(items: pd.DataFrame, folds: int, seed: int) -> Report:
    fake = (items["label"] == "fake").to_numpy()
    report: Report = {"items": len(items), "real": int((~fake).sum()), "fake": int(fake.sum())}
    dealt = _folds(items, fake, folds, seed)
    if not dealt:
        return report | {"note": "too few items for a cross-validation: each class needs at least two groups"}
    facts = facts_of(items)
    forest = RandomForestClassifier(_TREES, min_samples_leaf=_LEAF, class_weight="balanced", random_state=seed)
    tree = DecisionTreeClassifier(min_samples_leaf=_LEAF, class_weight="balanced", random_state=seed)
    alone = {str(name): _accuracy(tree, facts[[name]], fake, dealt) for name in facts if facts[name].nunique() > 1}
    ranked = sorted(alone.items(), key=lambda fact: (-fact[1], fact[0]))
    figures: Report = {"folds": len(dealt), "balanced_accuracy": _accuracy(forest, facts, fake, dealt), "facts": dict(ranked)}
    return report | figures


def _folds(items: pd.DataFrame, fake: np.ndarray, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (positions to learn from, positions held out) of each fold in which both classes can be learnt."""
    groups = items["group"].where(items["group"] != "", items["media_id"]).to_numpy()
    possible = min(folds, *(len(set(groups[fake == label])) for label in (True, False)))
    if possible < 2:
        return []
    dealt = StratifiedGroupKFold(possible, shuffle=True, random_state=seed).split(items, fake, groups)
    return [(train, held_out) for train, held_out in dealt if len(set(fake[train])) == 2 and len(held_out)]


def _accuracy(model: ClassifierMixin, facts: pd.DataFrame, fake: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the balanced accuracy over all held-out items."""
    words = [name for name in facts if name in _NAMES]
    encoded = make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="ignore"), words), remainder="passthrough"), model)
    guesses = [encoded.fit(facts.iloc[train], fake[train]).predict(facts.iloc[held_out]) for train, held_out in folds]
    truth = np.concatenate([fake[held_out] for _, held_out in folds])
    return round(float(balanced_accuracy_score(truth, np.concatenate(guesses))), _DIGITS)
