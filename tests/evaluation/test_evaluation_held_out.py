"""A generator that is held out never reaches training; what is trained is the recipe; what is scored is what it makes and its rivals."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from realframe import artifacts
from realframe.config import Params
from realframe.evaluation import unseen_generators
from realframe.training import fit
from realframe.training.training_job import Job, Outcome
from tests.small_run import GENERATORS, Small

COLUMNS = ["held_out", "split", "media_id", "label", "kind", "generator", "source", "cluster", "score"]


class PowerCutError(Exception):
    """Ends a stage from within."""


class Spy:
    """Lets the trainings go on, and keeps what they were given; the one after the last allowed meets a power cut."""

    def __init__(self, allowed: int = 99) -> None:
        self.jobs: list[Job] = []
        self.outcomes: list[Outcome] = []
        self._allowed, self._fit = allowed, fit.fit

    def __call__(self, model: keras.Model, job: Job) -> Outcome:
        if len(self.jobs) == self._allowed:
            raise PowerCutError
        self.jobs.append(job)
        self.outcomes.append(self._fit(model, job))
        return self.outcomes[-1]


def with_evaluate(params: Params, **changed: Any) -> Params:
    return params.model_copy(update={"evaluate": params.evaluate.model_copy(update=changed)})


def hold_out(small: Small, spy: Spy, params: Params | None = None) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "fit", spy)
        small.stage("hold_out_generators", params)
    return pd.read_parquet(small.folder / artifacts.HELD_OUT)


@pytest.fixture(scope="module")
def spied(small: Small) -> tuple[Spy, pd.DataFrame]:
    spy = Spy()
    return spy, hold_out(small, spy)


def test_each_generator_of_enough_items_is_held_out(spied: tuple[Spy, pd.DataFrame]) -> None:
    spy, table = spied
    assert list(table.columns) == COLUMNS
    assert table["held_out"].unique().tolist() == list(GENERATORS)  # not gamma, of which there is one clip
    assert len(spy.jobs) == len(GENERATORS)
    assert table["score"].between(0, 1).all()
    assert table["score"].nunique() > len(table) / 2


def test_what_is_held_out_never_reaches_training(small: Small, spied: tuple[Spy, pd.DataFrame]) -> None:
    spy, _ = spied
    items = small.splits.set_index("media_id")
    for generator, job in zip(GENERATORS, spy.jobs, strict=True):
        for split in ("train", "val"):
            learned = items.loc[job.frames[split]["media_id"].unique()]
            expected = items[(items["split"] == split) & (items["generator"] != generator)]
            assert sorted(learned.index) == sorted(expected.index)
            assert set(learned["label"]) == {"real", "fake"}


def test_val_and_all_its_items_and_the_real_ones_of_their_kind_are_scored(small: Small, spied: tuple[Spy, pd.DataFrame]) -> None:
    _, table = spied
    items = small.splits
    for generator, rows in table.groupby("held_out"):
        val, test = (set(rows.loc[rows["split"] == split, "media_id"]) for split in ("val", "test"))
        assert val == set(items.loc[(items["split"] == "val") & (items["generator"] != generator), "media_id"])
        own = items["generator"] == generator
        real = (items["split"] == "test") & (items["label"] == "real") & (items["kind"] == "image")
        assert test == set(items.loc[own | real, "media_id"])


def test_the_training_is_that_of_the_recipe_with_the_values_that_were_found(small: Small, tmp_path: Path) -> None:
    place = copied(small, tmp_path)
    training = json.loads((place.folder / artifacts.TRAINING).read_text())
    (place.folder / artifacts.TRAINING).write_text(json.dumps(training | {"tuned": {"train.phase1.learning_rate": 0.0125}}))
    spy = Spy()
    hold_out(place, spy)
    expected = small.params.train.model_copy(update={"phase1": small.params.train.phase1.model_copy(update={"learning_rate": 0.0125})})
    assert [job.train for job in spy.jobs] == [expected] * len(GENERATORS)
    assert {job.seed for job in spy.jobs} == {small.params.seed}


def test_the_scores_are_those_of_the_epoch_that_validation_chose(spied: tuple[Spy, pd.DataFrame]) -> None:
    spy, table = spied
    for generator, outcome in zip(GENERATORS, spy.outcomes, strict=True):
        val = table[(table["held_out"] == generator) & (table["split"] == "val")]
        assert log_loss(val["label"] == "fake", val["score"]) == pytest.approx(outcome.best["val_loss"], abs=1e-4)


def test_after_a_kill_no_generator_is_trained_twice(small: Small, spied: tuple[Spy, pd.DataFrame], tmp_path: Path) -> None:
    place, (_, expected) = copied(small, tmp_path), spied
    (place.folder / artifacts.HELD_OUT).unlink(missing_ok=True)
    with pytest.raises(PowerCutError):
        hold_out(place, Spy(allowed=1))
    assert not (place.folder / artifacts.HELD_OUT).exists()
    again = Spy()
    table = hold_out(place, again)
    assert len(again.jobs) == 1
    pd.testing.assert_frame_equal(table, expected, rtol=1e-4)
    assert list((place.settings.state / "training").glob("*/")) == []  # nothing is kept once all is done


def test_off_it_leaves_an_empty_table_and_says_so(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spy = Spy()
    table = hold_out(copied(small, tmp_path), spy, with_evaluate(small.params, leave_one_generator_out=False))
    assert (list(table.columns), len(table), spy.jobs) == (COLUMNS, 0, [])
    assert table["score"].dtype == "float64"
    assert "nothing is measured on unseen generators" in capsys.readouterr().out


def items_of(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """Items by split, label, kind, generator and cluster."""
    table = pd.DataFrame(rows, columns=["split", "label", "kind", "generator", "cluster"])
    return table.assign(media_id=[f"{number:064x}" for number in range(len(table))], source="", repeat=1, weight=1.0)


@pytest.fixture
def two(small: Small) -> Iterator[pd.DataFrame]:
    """Images by one generator and videos by another, and real items of both kinds."""
    rows = []
    for split in ("train", "val", "test"):
        for number in range(4):
            for kind, generator in (("image", "painter"), ("video", "director")):
                rows.append((split, "fake", kind, generator, f"{split}{kind}{number}f"))
                rows.append((split, "real", kind, "", f"{split}{kind}{number}r"))
    yield items_of(*rows)


def test_what_shares_a_cluster_with_the_held_out_is_not_learned(small: Small, two: pd.DataFrame) -> None:
    original = two.index[(two["split"] == "train") & (two["label"] == "real")][0]
    twin = two.index[(two["split"] == "train") & (two["generator"] == "painter")][0]
    two.loc[original, "cluster"] = two.loc[twin, "cluster"]
    for generator, learned in (("painter", False), ("director", True)):
        fold = unseen_generators.without(generator, two, small.params.balance, 0)
        train = fold.splits[fold.splits["split"] == "train"]
        assert (two.loc[original, "media_id"] in set(train["media_id"])) is learned


def test_the_classes_are_balanced_anew(small: Small, two: pd.DataFrame) -> None:
    assert small.params.balance.method == "class_weights"
    fold = unseen_generators.without("painter", two, small.params.balance, 0)
    train = fold.splits[fold.splits["split"] == "train"]
    weights = train.groupby("label")["weight"].sum()
    assert (train["label"] == "fake").sum() == 4
    assert weights["fake"] == pytest.approx(weights["real"])
    assert set(fold.splits.loc[fold.splits["split"] != "train", "weight"]) == {1.0}


def test_the_only_generator_of_a_kind_leaves_a_kind_unseen_and_it_is_said(small: Small, two: pd.DataFrame) -> None:
    fold = unseen_generators.without("painter", two, small.params.balance, 0)
    assert fold.hindrance == ""
    assert "no AI-generated images are left" in fold.consequence
    assert set(fold.splits.loc[fold.splits["split"] == "test", "kind"]) == {"image"}
    two["kind"] = "image"
    assert unseen_generators.without("painter", two, small.params.balance, 0).consequence == ""


@pytest.mark.parametrize("split", ["train", "val"])
def test_where_a_class_would_be_missing_it_is_not_held_out(small: Small, two: pd.DataFrame, split: str) -> None:
    two = two[(two["split"] != split) | (two["generator"] != "director")]
    hindrance = unseen_generators.without("painter", two, small.params.balance, 0).hindrance
    assert "painter is not held out" in hindrance
    assert f"{split} has no fake item" in hindrance


def test_it_takes_two_generators_of_five_items(two: pd.DataFrame) -> None:
    assert unseen_generators.generators_of(two) == ["director", "painter"]
    painted = two["generator"] == "painter"
    few = two[~painted | (two.groupby("generator").cumcount() < 4)]
    assert unseen_generators.generators_of(few) == []  # one alone has nothing to learn from
    unknown = two.assign(generator=two["generator"].replace("painter", ""))
    assert unseen_generators.generators_of(unknown) == []


def copied(small: Small, folder: Path) -> Small:
    """The same run elsewhere, with a state of its own."""
    shutil.copytree(small.folder, folder / "run", ignore=shutil.ignore_patterns("training"))
    place = folder / "run"
    return Small(place, small.params, small.splits, small.settings.model_copy(update={"root": place, "home": place / "state"}))
