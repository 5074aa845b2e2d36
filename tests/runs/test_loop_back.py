"""What people add goes into the next run: feedback and takedowns, through the real opening of a run and its real stage."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bonafide import artefacts
from bonafide.errors import RunError
from bonafide.feedback.opinions import give
from bonafide.files import sha256_of
from bonafide.metadata import takedown
from bonafide.metadata.document import Membership
from bonafide.metadata.schema import Dataset, Media
from bonafide.metadata.store import Store, open_store
from bonafide.runs import lifecycle, versions
from bonafide.runs.process import git
from bonafide.runs.stages import run_stage
from bonafide.settings import Settings
from tests import own_state, run_folder


def _picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 48, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def home(checkout: Path, tmp_path: Path, embedded_uri: str) -> Settings:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
    settings = Settings(root=clone, home=clone / ".bonafide", MONGODB_URI=embedded_uri)
    own_state.empty(embedded_uri, settings.mongodb_database)
    for number in range(6):
        _picture(settings.raw_dir / ("real", "fake")[number % 2] / f"{number}.png", number)
    return settings


@pytest.fixture
def store(home: Settings) -> Iterator[Store]:
    with open_store(home) as opened:
        yield opened


def test_a_taken_down_item_is_in_no_later_dataset(home: Settings, store: Store) -> None:
    gone = home.raw_dir / "real" / "0.png"
    again, media_id = gone.read_bytes(), sha256_of(gone)
    item = takedown.touched(store, home.root, str(gone))
    takedown.record(store, item, "asked to", "anna")
    assert takedown.erase(store, home, media_id) == [gone]
    gone.write_bytes(again)  # somebody puts it back by hand, past `bonafide ingest`
    run = lifecycle.open_run("prepare_data", home, name="one")
    folder = run.folder(home)
    assert json.loads((folder / artefacts.TAKEDOWNS).read_text()) == [media_id]
    for stage in ("resolve_params", "catalog"):
        run_stage(run, stage, home)
    media = pd.read_parquet(folder / artefacts.MEDIA)
    assert len(media) == 5 and media_id not in set(media["media_id"])
    (rejected,) = pd.read_parquet(folder / artefacts.QUARANTINE / "catalog.parquet").to_dict("records")
    assert (rejected["path"], rejected["code"], rejected["sha256"]) == ("real/0.png", "media.taken-down", media_id)
    versions.commit(folder, "x")
    assert media_id in git(home.root, "show", f"{run.branch}:{artefacts.TAKEDOWNS}")


def test_nothing_is_trained_on_a_dataset_that_holds_what_was_taken_down_since(home: Settings, store: Store) -> None:
    media_id = run_folder.media_id(0)
    row = run_folder.media_table(1).iloc[0].to_dict()
    store.upsert([Media.model_validate({name: row[name] for name in Media.model_fields if name in row})])
    store.upsert([Dataset(version="0123456789ab", items=1, counts=())])
    store.add(Media, [media_id], "datasets", Membership(version="0123456789ab", split="train"))
    git(home.root, "tag", "--annotate", "dataset/v1", "-m", "0123456789ab")
    takedown.record(store, takedown.touched(store, home.root, media_id), "asked to", "anna")
    with pytest.raises(RunError, match=r"1 media items that were taken down since.*prepare_data"):
        lifecycle.open_run("train_model", home, name="one")


def test_a_run_takes_in_what_people_agree_on_and_a_training_carries_the_regression_set(
    home: Settings, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo = _picture(tmp_path / "holiday.png", 99)
    for by in ("anna", "ben"):
        give(store, home.feedback_dir, photo, "real", "saw it", by)
    empty = lifecycle.open_run("train_model", home, name="zero").folder(home) / artefacts.REGRESSION_MEDIA
    assert list(empty.iterdir()) == []
    prepared = lifecycle.open_run("prepare_data", home, name="one").folder(home)
    digests = {sha256_of(path) for path in (prepared / artefacts.RAW).rglob("*.png")}
    assert len(digests) == 7 and sha256_of(photo) in digests
    run = lifecycle.open_run("train_model", home, name="two")
    carried = run.folder(home) / artefacts.REGRESSION_MEDIA / "real" / f"{sha256_of(photo)}.png"
    assert sha256_of(carried) == sha256_of(photo)
    versions.commit(run.folder(home), "x")
    carried.unlink()
    (home.regression_dir / "real" / carried.name).unlink()
    lifecycle.open_run("train_model", home, name="three")
    assert "1 of the regression set's files" in caplog.text and carried.name in caplog.text
    assert "nfiles: 1" in git(home.root, "show", f"{run.branch}:{artefacts.REGRESSION_MEDIA}.dvc")
