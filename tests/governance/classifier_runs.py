"""Register runs whose scores come from a logistic regression, trained on correct or partly flipped labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from realframe.registry import model_registry
from tests import run_folder
from tests.state_fixtures import COMMIT, TRAINER

ITEMS = 1202  # 300 of them to test
WIDTH = 200  # features of an item; many for the number of training items, so that wrong labels do harm
_CLASS_DISTANCE = 3.0  # between the class means, in standard deviations


def register(folder: Path, splits: pd.DataFrame, *, flipped: float, bias: float, seed: int = 0) -> int:
    """Train with the share ``flipped`` of the training labels flipped, score val and test, and register the run; return its version."""
    run_folder.write_training(folder, splits)
    tables = run_folder.make_evaluation_tables(splits, 0.5)
    scores = _scores(splits, flipped, seed)
    scored = {
        name: getattr(tables, name).assign(score=lambda rows: rows["media_id"].map(scores))
        for name in ("predictions", "held_out", "cross_source", "robustness")
    }
    run_folder.write_evaluation(folder, replace(tables, **scored))
    run_folder.write_model(folder, bias=bias)
    return model_registry.register_folder(folder, commit=COMMIT, trainer=TRAINER)


def _scores(splits: pd.DataFrame, flipped: float, seed: int) -> "pd.Series[float]":
    random = np.random.default_rng(0)  # the features are the same for every run
    fake = (splits["label"] == "fake").to_numpy()
    direction = random.normal(size=WIDTH)
    features = random.normal(size=(len(splits), WIDTH)) + np.outer(fake - 0.5, _CLASS_DISTANCE * direction / np.linalg.norm(direction))
    train = np.flatnonzero(splits["split"] == "train")
    labels = fake.copy()
    wrong = np.random.default_rng(seed).choice(train, int(flipped * len(train)), replace=False)
    labels[wrong] = ~labels[wrong]
    probe = LogisticRegression(max_iter=1000, C=1 + seed / 2).fit(features[train], labels[train])
    return pd.Series(probe.predict_proba(features)[:, 1], index=splits["media_id"].to_numpy())
