"""Feedback and takedowns are inputs of the next run: tested by opening a real run and running its stage."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from realframe import artifacts
from realframe.errors import RunError
from realframe.feedback.feedback_labels import add_vote
from realframe.files import compute_sha256
from realframe.runs import run_lifecycle, run_versions
from realframe.runs.git_dvc import git
from realframe.runs.stage_graph import run_stage
from realframe.settings import Settings
from realframe.store import takedown
from realframe.store.document_base import Membership
from realframe.store.index_documents import Dataset, Media
from realframe.store.repository import Store, open_store
from tests import run_folder, state_fixtures


def _picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 48, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def home(checkout: Path, tmp_path: Path, embedded_uri: str) -> Settings:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
    settings = Settings(root=clone, home=clone / ".realframe", MONGODB_URI=embedded_uri)
    state_fixtures.drop_collections(embedded_uri, settings.mongodb_database)
    for number in range(6):
        _picture(settings.raw_dir / ("real", "fake")[number % 2] / f"{number}.png", number)
    return settings


@pytest.fixture
def store(home: Settings) -> Iterator[Store]:
    with open_store(home) as opened:
        yield opened


def test_a_taken_down_item_is_in_no_later_dataset(home: Settings, store: Store) -> None:
    gone = home.raw_dir / "real" / "0.png"
    content, media_id = gone.read_bytes(), compute_sha256(gone)
    item = takedown.find_affected_versions(store, home.root, str(gone))
    takedown.record_takedown(store, item, "asked to", "anna")
    assert takedown.delete_item(store, home, media_id) == [gone]
    gone.write_bytes(content)  # someone restores it by hand, without `realframe ingest`
    run = run_lifecycle.open_run("prepare_data", home, name="one")
    folder = run.folder(home)
    assert json.loads((folder / artifacts.TAKEDOWNS).read_text()) == [media_id]
    for stage in ("resolve_params", "catalog"):
        run_stage(run, stage, home)
    media = pd.read_parquet(folder / artifacts.MEDIA)
    assert len(media) == 5 and media_id not in set(media["media_id"])
    (rejected,) = pd.read_parquet(folder / artifacts.QUARANTINE / "catalog.parquet").to_dict("records")
    assert (rejected["path"], rejected["code"], rejected["sha256"]) == ("real/0.png", "media.taken-down", media_id)
    run_versions.commit_run_files(folder, "x")
    assert media_id in git(home.root, "show", f"{run.branch}:{artifacts.TAKEDOWNS}")


def test_a_training_refuses_a_dataset_with_items_taken_down_since(home: Settings, store: Store) -> None:
    media_id = run_folder.media_id(0)
    row = run_folder.make_media_table(1).iloc[0].to_dict()
    store.upsert([Media.model_validate({name: row[name] for name in Media.model_fields if name in row})])
    store.upsert([Dataset(version="0123456789ab", items=1, counts=())])
    store.add_to_set(Media, [media_id], "datasets", Membership(version="0123456789ab", split="train"))
    git(home.root, "tag", "--annotate", "dataset/v1", "-m", "0123456789ab")
    takedown.record_takedown(store, takedown.find_affected_versions(store, home.root, media_id), "asked to", "anna")
    with pytest.raises(RunError, match=r"1 media items that were taken down since.*prepare_data"):
        run_lifecycle.open_run("train_model", home, name="one")


def test_a_run_imports_agreed_labels_and_a_training_contains_the_regression_set(
    home: Settings, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo = _picture(tmp_path / "holiday.png", 99)
    for by in ("anna", "ben"):
        add_vote(store, home.feedback_dir, photo, "real", "saw it", by, verdict="real")
    empty = run_lifecycle.open_run("train_model", home, name="zero").folder(home) / artifacts.REGRESSION_MEDIA
    assert list(empty.iterdir()) == []
    prepared = run_lifecycle.open_run("prepare_data", home, name="one").folder(home)
    digests = {compute_sha256(path) for path in (prepared / artifacts.RAW_MEDIA).rglob("*.png")}
    assert len(digests) == 7 and compute_sha256(photo) in digests
    run = run_lifecycle.open_run("train_model", home, name="two")
    carried = run.folder(home) / artifacts.REGRESSION_MEDIA / "real" / f"{compute_sha256(photo)}.png"
    assert compute_sha256(carried) == compute_sha256(photo)
    run_versions.commit_run_files(run.folder(home), "x")
    carried.unlink()
    (home.regression_dir / "real" / carried.name).unlink()
    third = run_lifecycle.open_run("train_model", home, name="three").folder(home)
    (missing,) = json.loads((third / artifacts.REGRESSION_MEDIA / "missing.json").read_text())
    assert (missing["media_id"], missing["label"]) == (carried.stem, "real")
    assert "1 files of the regression set" in caplog.text and carried.name in caplog.text
    assert "nfiles: 1" in git(home.root, "show", f"{run.branch}:{artifacts.REGRESSION_MEDIA}.dvc")


def test_a_scheduled_run_finds_out_whether_there_are_new_media(home: Settings, store: Store) -> None:
    first = run_lifecycle.open_run("prepare_data", home, name="first")
    assert run_lifecycle.has_new_media(first, home)  # there is no dataset version yet
    run_versions.commit_run_files(first.folder(home), "a dataset")
    git(first.folder(home), "tag", "--annotate", "dataset/v1", "-m", "0123456789ab")
    run_lifecycle.close_run(first, home)
    same = run_lifecycle.open_run("prepare_data", home, name="same", recipe="efficientnetv2b0")
    assert not run_lifecycle.has_new_media(same, home)  # another recipe needs no scheduled run
    _picture(home.raw_dir / "real" / "new.png", 99)
    assert run_lifecycle.has_new_media(run_lifecycle.open_run("prepare_data", home, name="added"), home)
    (home.raw_dir / "real" / "new.png").unlink()
    assert not run_lifecycle.has_new_media(run_lifecycle.open_run("prepare_data", home, name="removed"), home)
    gone = home.raw_dir / "real" / "0.png"
    media_id = compute_sha256(gone)
    takedown.record_takedown(store, takedown.find_affected_versions(store, home.root, str(gone)), "asked to", "anna")
    takedown.delete_item(store, home, media_id)
    assert run_lifecycle.has_new_media(run_lifecycle.open_run("prepare_data", home, name="taken down"), home)


def test_a_checkout_without_any_files_has_no_media(checkout: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
    settings = Settings(root=clone, home=clone / ".realframe")
    assert not run_lifecycle.has_media(settings)
    (settings.inbox_dir / "real").mkdir(parents=True)
    assert not run_lifecycle.has_media(settings)
    _picture(settings.inbox_dir / "real" / "a.png", 1)
    assert run_lifecycle.has_media(settings)
