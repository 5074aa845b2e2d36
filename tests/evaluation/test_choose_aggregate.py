"""The aggregate that ranks the validation items best is chosen, and the test split is not used."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from realframe.errors import DatasetError
from realframe.evaluation.item_scores import AGGREGATES, choose_aggregate
from realframe.models.aggregate import aggregate_by_item

ITEMS = st.lists(
    st.tuples(st.sampled_from(["real", "fake"]), st.lists(st.integers(0, 10).map(lambda n: n / 10), min_size=1, max_size=9)),
    min_size=2,
    max_size=12,
)


def make_frames(*items: tuple[str, list[float]], column: str = "score") -> pd.DataFrame:
    """Rows of frames, of items given as label and scores, with columns of ``predictions.parquet``."""
    rows = [
        {"media_id": f"{number:064x}", "label": label, "kind": "video", "split": "val", "index": index, column: score}
        for number, (label, scores) in enumerate(items)
        for index, score in enumerate(scores)
    ]
    return pd.DataFrame(rows)


MEAN_IS_BEST = (
    ("real", [0.5] * 10),
    ("real", [0.05] * 16 + [0.9] * 12),
    ("fake", [0.45] * 6 + [0.7] * 4),
    ("fake", [0.45] * 6 + [0.72] * 4),
)
ODD_FRAMES = (("real", [0.2, 0.2, 1.0]), ("real", [0.2, 0.2, 0.9]), ("fake", [0.4, 0.4, 0.4]), ("fake", [0.5, 0.5, 0.0]))
FAKE_IN_PART = (
    ("real", [0.45] * 20),
    ("real", [0.5] * 20),
    ("fake", [0.1] * 15 + [0.9] * 5),
    ("fake", [0.1] * 15 + [0.7] * 5),
)
FAKE_FOR_NEARLY_HALF = (
    ("real", [0.3] * 23 + [0.95] * 5),
    ("real", [0.2] * 23 + [0.95] * 5),
    ("fake", [0.01] * 16 + [0.9] * 12),
    ("fake", [0.0] * 16 + [0.85] * 12),
)


@pytest.mark.parametrize(
    ("items", "best"), [(MEAN_IS_BEST, "mean"), (ODD_FRAMES, "median"), (FAKE_IN_PART, "top_k"), (FAKE_FOR_NEARLY_HALF, "confident")]
)
def test_the_aggregate_with_the_highest_roc_auc_is_chosen(items: tuple[tuple[str, list[float]], ...], best: str) -> None:
    assert choose_aggregate(make_frames(*items)) == best


@settings(deadline=None, max_examples=50)
@given(ITEMS)
def test_no_aggregate_is_better_and_ties_go_to_the_first(items: list[tuple[str, list[float]]]) -> None:
    val = make_frames(*items)
    if val["label"].nunique() < 2:
        return
    tables = {aggregate: aggregate_by_item(val, aggregate, ["score"]) for aggregate in AGGREGATES}
    roc_aucs = [roc_auc_score(table["label"] == "fake", table["score"]) for table in tables.values()]
    chosen = AGGREGATES.index(choose_aggregate(val))
    assert roc_aucs[chosen] == pytest.approx(max(roc_aucs))
    assert all(area < max(roc_aucs) - 1e-9 for area in roc_aucs[:chosen])


def test_order_of_the_aggregates() -> None:
    assert AGGREGATES == ("mean", "median", "top_k", "confident")


def test_a_missing_class_gives_the_mean() -> None:
    for label in ("real", "fake"):
        assert choose_aggregate(make_frames(*((label, scores) for _, scores in ODD_FRAMES))) == "mean"
    assert choose_aggregate(make_frames(*ODD_FRAMES).iloc[:0]) == "mean"


def test_one_frame_per_item_gives_the_mean() -> None:
    random = np.random.default_rng(0)
    assert choose_aggregate(make_frames(*((("real", "fake")[n % 2], [score]) for n, score in enumerate(random.random(40))))) == "mean"


def test_the_score_column_can_be_chosen() -> None:
    val = make_frames(*ODD_FRAMES).assign(baseline_score=0.5)
    assert choose_aggregate(val, "baseline_score") == "mean"
    assert choose_aggregate(make_frames(*ODD_FRAMES, column="baseline_score"), "baseline_score") == "median"


def test_frames_of_another_split_are_refused() -> None:
    val = make_frames(*ODD_FRAMES)
    with pytest.raises(DatasetError, match=r"frames of the split test.*val only"):
        choose_aggregate(pd.concat([val, val.assign(split="test")]))
    assert choose_aggregate(val.drop(columns="split")) == "median"
