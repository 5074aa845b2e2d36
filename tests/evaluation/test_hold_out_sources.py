"""Stage hold_out_sources: whole sources are left out of the training with both classes; all their items are scored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from realframe import artifacts
from realframe.config import Params
from realframe.data import manifest
from realframe.evaluation import scored_rows
from tests.fold_trainings import PowerCutError, TrainingSpy, copy_run, set_evaluate_params
from tests.small_run import SmallRun

FOLDS = 3


def hold_out(run: SmallRun, spy: TrainingSpy, params: Params | None = None) -> pd.DataFrame:
    return spy.run_stage(run, "hold_out_sources", artifacts.CROSS_SOURCE, params)


@pytest.fixture(scope="module")
def with_sources(small: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """The images come from three sources, each with both classes and a generator of its own; the clips have no source."""
    run = copy_run(small, tmp_path_factory.mktemp("sources"))
    splits, image = run.splits.copy(), (run.splits["kind"] == "image").to_numpy()
    number = splits.groupby(["kind", "label", "split"]).cumcount().to_numpy() % FOLDS
    splits["source"] = np.where(image, np.char.add("site ", number.astype(str)), "")
    splits["generator"] = np.where(image & (splits["label"] == "fake"), np.char.add("model ", number.astype(str)), splits["generator"])
    manifest.write(splits, run.folder / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    return replace(run, splits=splits)


@pytest.fixture(scope="module")
def spied(with_sources: SmallRun) -> tuple[TrainingSpy, pd.DataFrame]:
    spy = TrainingSpy()
    return spy, hold_out(with_sources, spy)


def test_all_items_of_each_source_are_scored_once(with_sources: SmallRun, spied: tuple[TrainingSpy, pd.DataFrame]) -> None:
    spy, table = spied
    assert list(table.columns) == scored_rows.CROSS_SOURCE.names
    assert len(spy.jobs) == FOLDS
    assert sorted(table["media_id"]) == sorted(with_sources.splits["media_id"])
    assert table["score"].between(0, 1).all()
    expected = with_sources.splits.set_index("media_id").loc[table["media_id"]]
    assert table["split"].tolist() == expected["split"].tolist()
    assert set(table["source"]) == {"site 0", "site 1", "site 2", "unknown"}


def test_the_left_out_source_is_used_neither_for_training_nor_for_early_stopping(
    with_sources: SmallRun, spied: tuple[TrainingSpy, pd.DataFrame]
) -> None:
    spy, table = spied
    items = with_sources.splits.set_index("media_id")
    for fold, job in enumerate(spy.jobs):
        left_out = set(table.loc[table["fold"] == fold, "media_id"])
        for split in ("train", "val"):
            learned = set(job.frames[split]["media_id"])
            assert not learned & left_out
            assert learned == set(items.index[items["split"] == split]) - left_out
            assert set(items.loc[sorted(learned), "label"]) == {"real", "fake"}


def test_after_a_kill_no_fold_is_trained_twice(with_sources: SmallRun, spied: tuple[TrainingSpy, pd.DataFrame], tmp_path: Path) -> None:
    _, expected = spied
    run = replace(copy_run(with_sources, tmp_path), splits=with_sources.splits)
    (run.folder / artifacts.CROSS_SOURCE).unlink()
    with pytest.raises(PowerCutError):
        hold_out(run, TrainingSpy(allowed=2))
    assert not (run.folder / artifacts.CROSS_SOURCE).exists()
    resumed = TrainingSpy()
    table = hold_out(run, resumed)
    assert len(resumed.jobs) == FOLDS - 2
    pd.testing.assert_frame_equal(table, expected, rtol=1e-4)
    assert list((run.settings.state_dir / "training").glob("*/")) == []


def test_switched_off_it_trains_nothing_and_says_so(with_sources: SmallRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, spy = copy_run(with_sources, tmp_path), TrainingSpy()
    table = hold_out(run, spy, set_evaluate_params(run.params, source_folds=0))
    assert (list(table.columns), len(table), spy.jobs) == (scored_rows.CROSS_SOURCE.names, 0, [])
    assert (table["score"].dtype, table["fold"].dtype) == ("float64", "int64")
    assert "evaluate.source_folds is 0" in capsys.readouterr().out


def test_too_few_sources_train_nothing_and_are_counted(small: SmallRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, spy = copy_run(small, tmp_path), TrainingSpy()
    assert len(hold_out(run, spy)) == 0
    assert spy.jobs == []
    printed = capsys.readouterr().out
    assert "1 source of real and 1 source of AI-generated images" in printed
    assert "at least 3 of each class are needed" in printed
