"""The training reference: which items it holds, and their scores and features."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from realframe import config
from realframe.config import Params
from realframe.data.batches import FrameReader
from realframe.evaluation import scored_rows, training_reference
from realframe.evaluation.item_scores import ItemScorer
from realframe.tables import write_table
from tests.clip_items import build_detector, write_clips

COUNTS = [9, 2, 3, 6, 1, 5, 2, 7]  # frames of each item; the last two are of val


@pytest.fixture(scope="module")
def params(root: Path) -> Params:
    overrides = {"clean.size": 64, "train.head.length": 6, "train.batch_size": 8}
    return config.resolve_params(root / "params.yaml", root / "recipes", recipe="scratch", overrides=overrides).params


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    table = write_clips(tmp_path_factory.mktemp("clean"), COUNTS)
    ids = sorted(table["media_id"].unique())
    val = table["media_id"].isin(ids[-2:])
    return {"train": table[~val].reset_index(drop=True), "val": table[val].reset_index(drop=True)}


@pytest.fixture(scope="module")
def splits(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    rows = [{"media_id": media_id, "split": split} for split, table in frames.items() for media_id in table["media_id"].unique()]
    unseen = [{"media_id": "f" * 64, "split": "test"}]
    return pd.DataFrame(rows + unseen).assign(label="real", kind="video")


@pytest.fixture(scope="module")
def scorer(params: Params) -> ItemScorer:
    return ItemScorer(build_detector("gap"), params, "mean")


def test_it_holds_all_of_val_and_the_lowest_ids_of_train(
    scorer: ItemScorer, frames: dict[str, pd.DataFrame], splits: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_reference, "MAX_TRAIN_ITEMS", 4)
    ids = sorted(splits.loc[splits["split"] == "val", "media_id"])
    val = pd.DataFrame({"media_id": ids, "score": [0.25, 0.75]})
    table = training_reference.build_training_reference(scorer, frames, splits, val, 2)
    assert table["split"].tolist() == ["train"] * 4 + ["val"] * 2
    assert table["media_id"].tolist() == sorted(frames["train"]["media_id"].unique())[:4] + ids
    assert table["score"].tolist()[4:] == [0.25, 0.75]
    write_table(table, tmp_path / "reports" / "training_reference.parquet", scored_rows.TRAINING_REFERENCE)
    back = pd.read_parquet(tmp_path / "reports" / "training_reference.parquet")
    assert list(back.columns) == ["media_id", "label", "kind", "split", "score", "features"]
    assert np.array_equal(np.stack(back["features"]), np.stack(table["features"]))


@pytest.mark.parametrize("kind", ["gap", "gru"])
def test_an_item_uses_four_of_its_frames(kind: str, params: Params, frames: dict[str, pd.DataFrame], splits: pd.DataFrame) -> None:
    changed = params.model_copy(
        update={"train": params.train.model_copy(update={"head": params.train.head.model_copy(update={"kind": kind})})}
    )
    scorer = ItemScorer(build_detector(kind), changed, "mean")
    val = pd.DataFrame({"media_id": frames["val"]["media_id"].unique(), "score": 0.5})
    table = training_reference.build_training_reference(scorer, frames, splits, val, 2).set_index("media_id")
    longest = frames["train"]["media_id"].value_counts().idxmax()
    rows = frames["train"].index[frames["train"]["media_id"] == longest].to_numpy()[[0, 3, 5, 8]]
    alone = scorer.score(FrameReader(frames["train"], 1).read(rows))
    assert table.loc[longest, "score"] == pytest.approx(alone.score, abs=1e-5)
    assert table.loc[longest, "features"] == pytest.approx(alone.features, abs=1e-4)
    assert not np.allclose(table.loc[longest, "features"], table["features"].iloc[-1])
