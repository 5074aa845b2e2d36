"""Runs whose scores come from a real classifier, a logistic regression, trained on labels that are right or partly flipped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from realframe.registry import model_registry
from tests import run_folder
from tests.own_state import COMMIT, TRAINER

ITEMS = 1202  # 300 of them to test
WIDTH = 200  # features of an item; as many as there are few training items for, so that wrong labels do harm
_APART = 3.0  # how far the classes lie apart, standard deviations


def register(folder: Path, splits: pd.DataFrame, *, flipped: float, bias: float, seed: int = 0) -> int:
    """Train on the train split with this share of its labels flipped, score val and test, and register the run; return its version."""
    run_folder.write_training(folder, splits)
    tables = run_folder.evaluated(splits, 0.5)
    scores = _scores(splits, flipped, seed)
    scored = {
        name: getattr(tables, name).assign(score=lambda rows: rows["media_id"].map(scores))
        for name in ("predictions", "held_out", "robustness")
    }
    run_folder.write_evaluation(folder, replace(tables, **scored))
    run_folder.write_model(folder, bias=bias)
    return model_registry.register_folder(folder, commit=COMMIT, trainer=TRAINER)


def _scores(splits: pd.DataFrame, flipped: float, seed: int) -> "pd.Series[float]":
    random = np.random.default_rng(0)  # the features are the same for every run
    fake = (splits["label"] == "fake").to_numpy()
    direction = random.normal(size=WIDTH)
    features = random.normal(size=(len(splits), WIDTH)) + np.outer(fake - 0.5, _APART * direction / np.linalg.norm(direction))
    train = np.flatnonzero(splits["split"] == "train")
    labels = fake.copy()
    wrong = np.random.default_rng(seed).choice(train, int(flipped * len(train)), replace=False)
    labels[wrong] = ~labels[wrong]
    probe = LogisticRegression(max_iter=1000, C=1 + seed / 2).fit(features[train], labels[train])
    return pd.Series(probe.predict_proba(features)[:, 1], index=splits["media_id"].to_numpy())
