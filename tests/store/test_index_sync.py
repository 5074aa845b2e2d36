"""The index: rebuilt from the commits of runs, and the lineage that it gives."""

import os
import subprocess
from pathlib import Path

import pytest

from realframe import artifacts
from realframe.errors import MetadataError
from realframe.files import write_text
from realframe.runs.git_dvc import dvc, git
from realframe.settings import Settings
from realframe.store import lineage
from realframe.store.document_base import Document
from realframe.store.index_documents import DERIVED, Dataset, Evaluation, Media, Model, TrainingRun
from realframe.store.index_sync import sync_all, sync_models, sync_run
from realframe.store.repository import Store
from realframe.store.user_documents import LedgerEntry
from tests import run_folder

IDENTITY = {
    f"GIT_{who}_{what}": f"test{'@localhost' if what == 'EMAIL' else ''}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
STAGES = """
stages:
  data:
    cmd: "true"
    outs: [data/media.parquet, data/splits.parquet, build/params.yaml]
"""
RUNS = ("runs/prepare_data-1", "runs/train_model-1", "runs/prepare_data-2")


def _commit(folder: Path, branch: str, second: int) -> None:
    dvc(folder, "commit", "--quiet", "--force")
    tracked = [path for path in ("dvc.yaml", "dvc.lock", ".gitignore", artifacts.TRAINING, artifacts.METRICS) if (folder / path).exists()]
    git(folder, "add", "--force", "--", *map(str, tracked))
    dated = {f"GIT_{who}_DATE": f"2026-01-01T00:00:0{second}+00:00" for who in ("AUTHOR", "COMMITTER")}
    subprocess.run(["git", "commit", "-qm", branch], cwd=folder, env={**os.environ, **IDENTITY, **dated}, check=True)
    git(folder, "branch", branch)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: dataset/v1, a training on it, and dataset/v2 with more items."""
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "--quiet", "--initial-branch=main")
    dvc(folder, "init", "--quiet")
    write_text(folder / "dvc.yaml", STAGES)
    write_text(folder / ".gitignore", "/data\n/build\n/models\n/reports\n")
    splits = run_folder.write_dataset(folder, 42)
    write_text(folder / artifacts.RESOLVED_PARAMS, "seed: 1\n")
    _commit(folder, RUNS[0], 1)
    git(folder, "tag", "-am", "digest", "dataset/v1")
    (folder / artifacts.RESOLVED_PARAMS).unlink()
    run_folder.write_training(folder, splits)
    _commit(folder, RUNS[1], 2)
    git(folder, "reset", "--quiet", "--hard", RUNS[0])
    run_folder.write_dataset(folder, 50)
    write_text(folder / artifacts.RESOLVED_PARAMS, "seed: 1\n")
    _commit(folder, RUNS[2], 3)
    git(folder, "tag", "-am", "digest", "dataset/v2")
    return folder


def version(number: int, dataset: str) -> Model:
    facts = {"run_id": run_folder.RUN_ID, "commit": "c", "recipe": "efficientnetb0", "created": "2026-01-01T00:00:00+00:00"}
    return Model(version=number, sha256=run_folder.media_id(number), dataset=dataset, **facts)


def datasets(store: Store) -> dict[str, str]:
    """The digests of the dataset versions, by tag."""
    return {tag: dataset.version for dataset in store.find(Dataset) for tag in dataset.tags}


def all_documents(store: Store) -> dict[type[Document], list[Document]]:
    return {cls: [_with_sorted_sets(document) for document in store.find(cls)] for cls in DERIVED}


def _with_sorted_sets(document: Document) -> Document:
    """Sort the sets, which have no order."""
    return document.model_copy(update={field: sorted(getattr(document, field), key=str) for field in document.SET_FIELDS})


@pytest.mark.slow
def test_the_index_is_rebuilt_from_the_commits_of_all_runs(repository: Path, store: Store) -> None:
    summary = sync_all(repository, store, list)
    assert summary.unreadable == []
    assert summary.documents == {"media": 50, "datasets": 2, "runs": 1, "evaluations": 1, "models": 0}
    known = datasets(store)
    assert set(known) == {"dataset/v1", "dataset/v2"}
    (run,) = store.find(TrainingRun)
    assert (run.run_id, run.dataset, run.branches) == (run_folder.RUN_ID, known["dataset/v1"], (RUNS[1],))
    assert run.params["clean"]["size"] == run_folder.SIZE
    (evaluation,) = store.find(Evaluation)
    assert {figure.name for figure in evaluation.figures} >= {"roc_auc", "f1"}
    one = store.get(Dataset, known["dataset/v1"])
    assert one and sum(count.items for count in one.counts) == one.items == 40


@pytest.mark.slow
def test_a_second_rebuild_changes_nothing(repository: Path, store: Store) -> None:
    sync_all(repository, store, list)
    first = all_documents(store)
    summary = sync_all(repository, store, list)
    assert all_documents(store) == first
    assert summary.removed == 0


@pytest.mark.slow
def test_a_rebuild_gives_the_same_index_as_the_single_runs(repository: Path, store: Store, tmp_path: Path) -> None:
    for run in RUNS:
        folder = tmp_path / run
        git(repository, "worktree", "add", "--quiet", "--detach", str(folder), run)
        dvc(folder, "cache", "dir", "--local", str(repository / ".dvc" / "cache"))
        dvc(folder, "checkout", "--quiet")
        tag = f"dataset/v{run[-1]}" if "prepare" in run else None
        sync_run(folder, store, commit=git(folder, "rev-parse", "HEAD"), branch=run, tag=tag)
    one_by_one = all_documents(store)
    store.delete(Media, store.find_keys(Media))
    store.delete(Dataset, store.find_keys(Dataset))
    sync_all(repository, store, list)
    assert all_documents(store) == one_by_one


def test_documents_without_a_run_are_removed_and_the_ledger_is_kept(repository: Path, store: Store) -> None:
    sync_all(repository, store, list)
    rebuilt = all_documents(store)
    stray = store.find(Media)[0].model_copy(update={"media_id": "f" * 64})
    store.upsert([stray, version(9, "e" * 12), Dataset(version="e" * 12, items=0, counts=())])
    store.add_to_set(Media, [store.find(Media)[0].key, stray.key], "datasets", {"version": "e" * 12, "split": "train"})  # type: ignore[arg-type]
    store.add_to_set(Dataset, list(store.find_keys(Dataset)), "commits", "0" * 40)
    facts = {
        "previous_hash": "",
        "action": "approve",
        "version": 1,
        "model_sha256": "0" * 64,
        "reviewer": "r",
        "comment": "",
        "created": "now",
    }
    store.insert(LedgerEntry(sequence=1, hash="f" * 64, evidence={}, **facts))  # type: ignore[arg-type]
    summary = sync_all(repository, store, list)
    assert summary.removed == 3
    assert all_documents(store) == rebuilt
    assert len(store.find_keys(LedgerEntry)) == 1


def test_unreadable_artifacts_are_named_and_nothing_is_removed(repository: Path, store: Store, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    sync_all(repository, store, list)
    before = all_documents(store)
    for run in RUNS:
        git(clone, "branch", run, f"origin/{run}")
    summary = sync_all(clone, store, list)
    assert len(summary.unreadable) == 3 and "neither in the DVC cache nor on the remote" in summary.unreadable[0]
    assert all_documents(store) == before


def test_the_branch_of_a_run_that_failed_before_its_commit_is_skipped(repository: Path, store: Store, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    dvc(clone, "cache", "dir", "--local", str(repository / ".dvc" / "cache"))
    git(clone, "rm", "--quiet", "--cached", "dvc.lock")
    git(clone, "commit", "--quiet", "-m", "nothing has run yet")
    git(clone, "branch", "runs/prepare_data-failed")
    summary = sync_all(clone, store, list)
    assert (summary.unreadable, summary.documents["datasets"]) == ([], 2)


def test_runs_from_a_git_remote_are_indexed(repository: Path, store: Store, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    dvc(clone, "cache", "dir", "--local", str(repository / ".dvc" / "cache"))
    summary = sync_all(clone, store, list)
    assert (summary.unreadable, summary.documents["runs"]) == ([], 1)
    assert store.find(TrainingRun)[0].branches == (RUNS[1],)


def test_lineage_of_a_model_is_the_train_split_of_its_dataset(repository: Path, store: Store) -> None:
    sync_all(repository, store, list)
    v1, v2 = datasets(store)["dataset/v1"], datasets(store)["dataset/v2"]
    sync_models(store, [version(1, v1), version(2, v2)])
    found = lineage.get_model_lineage(store, 1)
    expected = run_folder.make_split_table(run_folder.make_media_table(42)).query("split == 'train'")["media_id"]
    assert [item.media_id for item in found.trained_on] == sorted(expected)
    assert found.run and found.run.run_id == run_folder.RUN_ID
    assert found.tags == ("dataset/v1",)
    assert sum(count.items for count in found.counts if count.split == "train") == len(expected)
    assert len(lineage.get_model_lineage(store, 2).trained_on) > len(expected)


def test_lineage_of_a_media_item_is_every_version_that_used_it(repository: Path, store: Store) -> None:
    sync_all(repository, store, list)
    v1, v2 = datasets(store)["dataset/v1"], datasets(store)["dataset/v2"]
    sync_models(store, [version(1, v1), version(2, v2), version(10, v2)])
    old, new, unused = (lineage.get_media_lineage(store, run_folder.media_id(number)[:10]) for number in (0, 47, 49))
    assert {(s.tags, s.split, tuple(m.version for m in s.models)) for s in old.uses} == {
        (("dataset/v1",), "train", (1,)),
        (("dataset/v2",), "train", (2, 10)),
    }
    assert [s.tags for s in new.uses] == [("dataset/v2",)]
    assert unused.uses == []


def test_a_folder_without_a_git_repository_is_an_error(store: Store, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(MetadataError, match="git cannot list its runs"):
        sync_all(tmp_path_factory.mktemp("bare"), store, list)


def test_a_folder_without_a_catalog_is_indexed_by_its_splits(store: Store, tmp_path: Path) -> None:
    run_folder.write_dataset(tmp_path, 42)
    (tmp_path / artifacts.MEDIA).unlink()
    sync_run(tmp_path, store, commit="0" * 40, branch="runs/train_model-1", tag=None)
    assert len(store.find(Media, {"datasets": {"$elemMatch": {"split": "train"}}})) == 20
