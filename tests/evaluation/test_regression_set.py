"""The regression set: each item has a row, with its score or with why it has none."""

import logging
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from realframe import artifacts
from realframe.evaluation import scored_rows
from realframe.evaluation.item_scores import ItemScorer
from realframe.evaluation.network_scores import load_model
from realframe.evaluation.regression_set import score_regression_set, write_missing
from realframe.files import compute_sha256
from realframe.media.file_frames import load_file_frames
from realframe.tables import write_table
from tests.clip_items import build_detector
from tests.small_run import SmallRun


@pytest.fixture(scope="module")
def scorer(small: SmallRun) -> ItemScorer:
    return ItemScorer(load_model(small.folder / artifacts.MODEL), small.params, "mean")


@pytest.fixture
def wrong(small: SmallRun, tmp_path: Path) -> tuple[Path, Any, Any]:
    """A folder with one item of train under its label, and the fake clip reported as real; the two items."""
    image = next(small.splits[(small.splits["split"] == "train") & (small.splits["label"] == "fake")].itertuples())
    clip = next(small.splits[(small.splits["kind"] == "video") & (small.splits["label"] == "fake")].itertuples())
    folder = tmp_path / "regression"
    for item, label in ((image, "fake"), (clip, "real")):
        target = folder / label / Path(str(item.path)).name
        target.parent.mkdir(parents=True)
        shutil.copyfile(small.folder / artifacts.RAW_MEDIA / str(item.path), target)
    return folder, image, clip


def test_files_are_scored_under_the_label_of_their_folder(small: SmallRun, scorer: ItemScorer, wrong: tuple[Path, Any, Any]) -> None:
    folder, image, clip = wrong
    table = score_regression_set(folder, scorer, small.params, small.splits[small.splits["media_id"] != clip.media_id]).set_index(
        "media_id"
    )
    assert table.loc[image.media_id, ["label", "kind", "split"]].tolist() == ["fake", "image", "train"]
    assert table.loc[clip.media_id, ["label", "kind", "split"]].tolist() == ["real", "video", ""]
    for item in (image, clip):
        frames = load_file_frames(small.folder / artifacts.RAW_MEDIA / str(item.path), small.params)
        assert table.loc[item.media_id, "score"] == pytest.approx(scorer.score(frames.pictures).score, abs=1e-6)


def test_an_unreadable_file_has_a_row_with_the_reason(
    small: SmallRun, scorer: ItemScorer, wrong: tuple[Path, Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    folder = wrong[0]
    (folder / "fake" / "torn.mp4").write_text("not a video")
    (folder / "fake" / ".hidden").write_text("ignored")
    (folder / "fake" / "gone").symlink_to(folder / "nowhere")
    (folder / "real" / ("a" * 64)).write_text("other bytes")
    with caplog.at_level(logging.WARNING):
        table = score_regression_set(folder, scorer, small.params, small.splits).set_index("media_id")
    assert table["score"].notna().sum() == 2 == (table["reason"] == "").sum()
    torn = table.loc[compute_sha256(folder / "fake" / "torn.mp4")]
    assert "torn.mp4" in torn["reason"] and torn["label"] == "fake"
    assert "cannot be read" in table.loc["gone", "reason"]
    assert "has been changed" in table.loc["a" * 64, "reason"]
    assert len(table) == 5
    assert "torn.mp4" in caplog.text
    assert ".hidden" not in caplog.text


@pytest.mark.parametrize("name", ["{media_id}", "below/{media_id}.MP4", "holiday photo", "film.txt", "{media_id}.wrong"])
def test_the_name_of_a_file_does_not_matter(
    small: SmallRun, scorer: ItemScorer, wrong: tuple[Path, Any, Any], tmp_path: Path, name: str
) -> None:
    image = wrong[1]
    target = tmp_path / "named" / "fake" / name.format(media_id=image.media_id)
    target.parent.mkdir(parents=True)
    shutil.copyfile(small.folder / artifacts.RAW_MEDIA / str(image.path), target)
    table = score_regression_set(tmp_path / "named", scorer, small.params, small.splits)
    assert table["media_id"].tolist() == [image.media_id]
    assert table["score"].notna().all()


def test_an_item_without_a_file_has_a_row_with_the_reason(small: SmallRun, scorer: ItemScorer, wrong: tuple[Path, Any, Any]) -> None:
    write_missing(wrong[0], [("f" * 64, "fake", "its file is not here")])
    table = score_regression_set(wrong[0], scorer, small.params, small.splits).set_index("media_id")
    assert table.loc["f" * 64, ["label", "reason"]].tolist() == ["fake", "its file is not here"]
    assert len(table) == 3
    write_missing(wrong[0], [])
    assert len(score_regression_set(wrong[0], scorer, small.params, small.splits)) == 2


def test_a_detector_of_clips_does_not_score_images(small: SmallRun, wrong: tuple[Path, Any, Any], caplog: pytest.LogCaptureFixture) -> None:
    head = small.params.train.head.model_copy(update={"kind": "lstm", "length": 6})
    params = small.params.model_copy(update={"train": small.params.train.model_copy(update={"head": head})})
    params = params.model_copy(update={"clean": params.clean.model_copy(update={"size": 64})})
    table = score_regression_set(wrong[0], ItemScorer(build_detector("lstm", 6), params, "mean"), params, small.splits)
    assert table[table["score"].notna()]["kind"].tolist() == ["video"]
    assert table[table["score"].isna()]["kind"].tolist() == ["image"]
    assert "scores videos only" in caplog.text


def test_a_missing_folder_gives_no_rows_but_all_columns(small: SmallRun, scorer: ItemScorer, tmp_path: Path) -> None:
    table = score_regression_set(tmp_path / "nowhere", scorer, small.params, small.splits)
    assert len(table) == 0
    write_table(table, tmp_path / "regression.parquet", scored_rows.REGRESSION)
    back = pd.read_parquet(tmp_path / "regression.parquet")
    assert list(back.columns) == ["media_id", "label", "kind", "split", "score", "reason"]
    assert back["score"].dtype == "float64"
