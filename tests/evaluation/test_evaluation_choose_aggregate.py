"""The rule is the one that ranks the validation items best, and nothing of the test split is looked at."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from realframe.errors import DatasetError
from realframe.evaluation.item_scores import RULES, choose_aggregate
from realframe.models.aggregate import item_table

ITEMS = st.lists(
    st.tuples(st.sampled_from(["real", "fake"]), st.lists(st.integers(0, 10).map(lambda n: n / 10), min_size=1, max_size=9)),
    min_size=2,
    max_size=12,
)


def frames(*items: tuple[str, list[float]], column: str = "score") -> pd.DataFrame:
    """Rows of frames, of items given by label and scores, with the facts of ``predictions.parquet``."""
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
def test_it_picks_the_rule_that_ranks_the_items(items: tuple[tuple[str, list[float]], ...], best: str) -> None:
    assert choose_aggregate(frames(*items)) == best


@settings(deadline=None, max_examples=50)
@given(ITEMS)
def test_no_rule_is_better_and_no_earlier_one_as_good(items: list[tuple[str, list[float]]]) -> None:
    val = frames(*items)
    if val["label"].nunique() < 2:
        return
    tables = {how: item_table(val, how, ["score"]) for how in RULES}
    areas = [roc_auc_score(table["label"] == "fake", table["score"]) for table in tables.values()]
    chosen = RULES.index(choose_aggregate(val))
    assert areas[chosen] == pytest.approx(max(areas))
    assert all(area < max(areas) - 1e-9 for area in areas[:chosen])


def test_the_order_of_the_rules_is_kept() -> None:
    assert RULES == ("mean", "median", "top_k", "confident")


def test_without_one_class_it_is_the_mean() -> None:
    for label in ("real", "fake"):
        assert choose_aggregate(frames(*((label, scores) for _, scores in ODD_FRAMES))) == "mean"
    assert choose_aggregate(frames(*ODD_FRAMES).iloc[:0]) == "mean"


def test_with_one_frame_per_item_it_is_the_mean() -> None:
    random = np.random.default_rng(0)
    assert choose_aggregate(frames(*((("real", "fake")[n % 2], [score]) for n, score in enumerate(random.random(40))))) == "mean"


def test_it_goes_by_the_column_asked_for() -> None:
    val = frames(*ODD_FRAMES).assign(baseline_score=0.5)
    assert choose_aggregate(val, "baseline_score") == "mean"
    assert choose_aggregate(frames(*ODD_FRAMES, column="baseline_score"), "baseline_score") == "median"


def test_frames_of_another_split_are_refused() -> None:
    val = frames(*ODD_FRAMES)
    with pytest.raises(DatasetError, match=r"frames of the split test .*val alone"):
        choose_aggregate(pd.concat([val, val.assign(split="test")]))
    assert choose_aggregate(val.drop(columns="split")) == "median"
