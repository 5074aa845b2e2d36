"""Stage hold_out_generators: a held-out generator is not used for training; its items and the real items of the same kind are scored."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import log_loss

from realframe import artifacts
from realframe.config import Params
from realframe.evaluation import unseen_generators
from tests.fold_trainings import PowerCutError, TrainingSpy, copy_run, set_evaluate_params
from tests.small_run import GENERATORS, SmallRun

COLUMNS = ["held_out", "split", "media_id", "label", "kind", "generator", "source", "cluster", "score"]


def hold_out(small: SmallRun, spy: TrainingSpy, params: Params | None = None) -> pd.DataFrame:
    return spy.run_stage(small, "hold_out_generators", artifacts.HELD_OUT, params)


@pytest.fixture(scope="module")
def spied(small: SmallRun) -> tuple[TrainingSpy, pd.DataFrame]:
    spy = TrainingSpy()
    return spy, hold_out(small, spy)


def test_each_generator_with_enough_items_is_held_out(spied: tuple[TrainingSpy, pd.DataFrame]) -> None:
    spy, table = spied
    assert list(table.columns) == COLUMNS
    assert table["held_out"].unique().tolist() == list(GENERATORS)  # gamma has one clip only
    assert len(spy.jobs) == len(GENERATORS)
    assert table["score"].between(0, 1).all()
    assert table["score"].nunique() > len(table) / 2


def test_held_out_items_are_not_used_for_training(small: SmallRun, spied: tuple[TrainingSpy, pd.DataFrame]) -> None:
    spy, _ = spied
    items = small.splits.set_index("media_id")
    for generator, job in zip(GENERATORS, spy.jobs, strict=True):
        for split in ("train", "val"):
            learned = items.loc[job.frames[split]["media_id"].unique()]
            expected = items[(items["split"] == split) & (items["generator"] != generator)]
            assert sorted(learned.index) == sorted(expected.index)
            assert set(learned["label"]) == {"real", "fake"}


def test_val_items_and_all_items_of_the_generator_and_real_items_of_the_kind_are_scored(
    small: SmallRun, spied: tuple[TrainingSpy, pd.DataFrame]
) -> None:
    _, table = spied
    items = small.splits
    for generator, rows in table.groupby("held_out"):
        val, test = (set(rows.loc[rows["split"] == split, "media_id"]) for split in ("val", "test"))
        assert val == set(items.loc[(items["split"] == "val") & (items["generator"] != generator), "media_id"])
        own = items["generator"] == generator
        real = (items["split"] == "test") & (items["label"] == "real") & (items["kind"] == "image")
        assert test == set(items.loc[own | real, "media_id"])


def test_the_training_uses_the_recipe_and_the_tuned_values(small: SmallRun, tmp_path: Path) -> None:
    run = copy_run(small, tmp_path)
    training = json.loads((run.folder / artifacts.TRAINING).read_text())
    (run.folder / artifacts.TRAINING).write_text(json.dumps(training | {"tuned": {"train.phase1.learning_rate": 0.0125}}))
    spy = TrainingSpy()
    hold_out(run, spy)
    expected = small.params.train.model_copy(update={"phase1": small.params.train.phase1.model_copy(update={"learning_rate": 0.0125})})
    assert [job.train for job in spy.jobs] == [expected] * len(GENERATORS)
    assert {job.seed for job in spy.jobs} == {small.params.seed}


def test_the_scores_come_from_the_best_epoch(spied: tuple[TrainingSpy, pd.DataFrame]) -> None:
    spy, table = spied
    for generator, outcome in zip(GENERATORS, spy.outcomes, strict=True):
        val = table[(table["held_out"] == generator) & (table["split"] == "val")]
        assert log_loss(val["label"] == "fake", val["score"]) == pytest.approx(outcome.best["val_loss"], abs=1e-4)


def test_after_a_kill_no_generator_is_trained_twice(small: SmallRun, spied: tuple[TrainingSpy, pd.DataFrame], tmp_path: Path) -> None:
    run, (_, expected) = copy_run(small, tmp_path), spied
    (run.folder / artifacts.HELD_OUT).unlink(missing_ok=True)
    with pytest.raises(PowerCutError):
        hold_out(run, TrainingSpy(allowed=1))
    assert not (run.folder / artifacts.HELD_OUT).exists()
    resumed = TrainingSpy()
    table = hold_out(run, resumed)
    assert len(resumed.jobs) == 1
    pd.testing.assert_frame_equal(table, expected, rtol=1e-4)
    assert list((run.settings.state_dir / "training").glob("*/")) == []  # deleted once all generators are done


def test_switched_off_it_writes_an_empty_table_and_prints_why(small: SmallRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spy = TrainingSpy()
    table = hold_out(copy_run(small, tmp_path), spy, set_evaluate_params(small.params, leave_one_generator_out=False))
    assert (list(table.columns), len(table), spy.jobs) == (COLUMNS, 0, [])
    assert table["score"].dtype == "float64"
    assert "unseen generators are not measured" in capsys.readouterr().out


def make_items(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """Make items from split, label, kind, generator and cluster."""
    table = pd.DataFrame(rows, columns=["split", "label", "kind", "generator", "cluster"])
    return table.assign(media_id=[f"{number:064x}" for number in range(len(table))], source="", repeat=1, weight=1.0)


@pytest.fixture
def two_generators(small: SmallRun) -> Iterator[pd.DataFrame]:
    """Images by one generator and videos by another, and real items of both kinds."""
    rows = []
    for split in ("train", "val", "test"):
        for number in range(4):
            for kind, generator in (("image", "painter"), ("video", "director")):
                rows.append((split, "fake", kind, generator, f"{split}{kind}{number}f"))
                rows.append((split, "real", kind, "", f"{split}{kind}{number}r"))
    yield make_items(*rows)


def test_clusters_of_held_out_items_are_not_used_for_training(small: SmallRun, two_generators: pd.DataFrame) -> None:
    original = two_generators.index[(two_generators["split"] == "train") & (two_generators["label"] == "real")][0]
    twin = two_generators.index[(two_generators["split"] == "train") & (two_generators["generator"] == "painter")][0]
    two_generators.loc[original, "cluster"] = two_generators.loc[twin, "cluster"]
    for generator, learned in (("painter", False), ("director", True)):
        fold = unseen_generators.leave_out_generator(generator, two_generators, small.params.balance, 0)
        train = fold.splits[fold.splits["split"] == "train"]
        assert (two_generators.loc[original, "media_id"] in set(train["media_id"])) is learned


def test_the_classes_are_balanced_again(small: SmallRun, two_generators: pd.DataFrame) -> None:
    assert small.params.balance.method == "class_weights"
    fold = unseen_generators.leave_out_generator("painter", two_generators, small.params.balance, 0)
    train = fold.splits[fold.splits["split"] == "train"]
    weights = train.groupby("label")["weight"].sum()
    assert (train["label"] == "fake").sum() == 4
    assert weights["fake"] == pytest.approx(weights["real"])
    assert set(fold.splits.loc[fold.splits["split"] != "train", "weight"]) == {1.0}


def test_holding_out_the_only_generator_of_a_kind_is_reported(small: SmallRun, two_generators: pd.DataFrame) -> None:
    fold = unseen_generators.leave_out_generator("painter", two_generators, small.params.balance, 0)
    assert fold.skip_reason == ""
    assert "no AI-generated images are left" in fold.missing_kinds_note
    assert set(fold.splits.loc[fold.splits["split"] == "test", "kind"]) == {"image"}
    two_generators["kind"] = "image"
    assert unseen_generators.leave_out_generator("painter", two_generators, small.params.balance, 0).missing_kinds_note == ""


def test_a_generator_is_not_held_out_if_a_class_would_be_missing(small: SmallRun, two_generators: pd.DataFrame) -> None:
    two_generators = two_generators[(two_generators["split"] == "test") | (two_generators["generator"] != "director")]
    obstacle = unseen_generators.leave_out_generator("painter", two_generators, small.params.balance, 0).skip_reason
    assert "painter is not held out" in obstacle
    assert "train has no fake item" in obstacle


def test_validation_is_chosen_anew_where_its_only_generator_is_held_out(small: SmallRun, two_generators: pd.DataFrame) -> None:
    """Validation of whole sources often has few generators."""
    two_generators = two_generators[(two_generators["split"] != "val") | (two_generators["generator"] != "director")]
    fold = unseen_generators.leave_out_generator("painter", two_generators, small.params.balance, 0)
    assert fold.skip_reason == ""
    assert set(fold.splits.loc[fold.splits["split"] == "val", "label"]) == {"real", "fake"}


def test_two_generators_with_five_items_are_needed(two_generators: pd.DataFrame) -> None:
    assert unseen_generators.list_generators(two_generators) == ["director", "painter"]
    painted = two_generators["generator"] == "painter"
    few = two_generators[~painted | (two_generators.groupby("generator").cumcount() < 4)]
    assert unseen_generators.list_generators(few) == []  # without the only generator nothing is left for training
    unknown = two_generators.assign(generator=two_generators["generator"].replace("painter", ""))
    assert unseen_generators.list_generators(unknown) == []
