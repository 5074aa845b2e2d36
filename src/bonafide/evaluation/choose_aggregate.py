"""How frame scores become the score of an item, chosen on the validation split and on nothing else."""

from typing import get_args

import pandas as pd
from sklearn.metrics import roc_auc_score

from bonafide.errors import DatasetError
from bonafide.models.aggregate import Aggregate, item_table

RULES: tuple[Aggregate, ...] = get_args(Aggregate)
"""The candidates; of equally good ones the earlier wins."""


def choose(val: pd.DataFrame, column: str = "score") -> Aggregate:
    """Return the rule under which the validation items have the highest ROC-AUC.

    Ties go to the earlier of mean, median, top_k, confident, so that it is ``mean`` where each item has but one frame. Where a class is
    missing there is nothing to rank, and it is ``mean``. It is the best of four on these items: on few of them the best may be luck.

    Args:
        val: the frames of the validation split: rows with ``media_id``, ``label`` and the score; facts besides them are not read.
        column: the score column, probabilities of ``fake`` in [0, 1].

    Raises:
        DatasetError: there is a column ``split``, and it names another split than ``val``.
    """
    _refuse_other_splits(val)
    if val["label"].nunique() < 2:
        return RULES[0]
    frames = val[["media_id", "label", column]]
    return max(RULES, key=lambda how: _ranked_by(frames, how, column))  # the first of equals


def _ranked_by(frames: pd.DataFrame, how: Aggregate, column: str) -> float:
    items = item_table(frames, how, [column])
    return round(float(roc_auc_score(items["label"] == "fake", items[column])), 12)  # rounding errors of the area break no tie


def _refuse_other_splits(val: pd.DataFrame) -> None:
    others = sorted(set(val["split"]) - {"val"}) if "split" in val else []
    if others:
        reason = f"frames of the split {', '.join(others)} are among those that the aggregate is chosen on"
        raise DatasetError("predictions", reason, "Choose it on the frames of val alone.")
