"""What is configured as data remote is what runs use: at each run, with the token of that moment, and never silently another one."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from realframe.errors import RunError, ServiceError, SetupError
from realframe.runs import data_remote, run_versions, worktree
from realframe.runs.git_dvc import git
from realframe.runs.pipeline_run import PipelineRun, make_run_id
from realframe.settings import Settings
from realframe.store import run_artifacts
from realframe.store.run_artifacts import RevisionSource
from tests.unreachable_servers import hanging_port, refused_port

__all__ = ["hanging_port", "refused_port"]
CONTENT = b"an original"


@pytest.fixture
def home(checkout: Path, tmp_path: Path) -> Settings:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
    (clone / "data" / "raw" / "real").mkdir(parents=True)
    (clone / "data" / "raw" / "real" / "a.jpg").write_bytes(CONTENT)
    return Settings(root=clone, home=clone / ".realframe")


def _open(settings: Settings, name: str) -> Path:
    run = PipelineRun(id=make_run_id("prepare_data", name), dag="prepare_data", base=git(settings.root, "rev-parse", "HEAD"))
    folder = worktree.open_worktree(run, settings)
    worktree.snapshot_raw(folder, settings)
    run_versions.commit_run_files(folder, "x")
    return folder


def _holds(folder: Path, content: bytes) -> bool:
    return any(path.is_file() and path.read_bytes() == content for path in folder.rglob("*"))


def _name(settings: Settings, **values: object) -> Settings:
    return settings.model_copy(update=values)


def _dvc(settings: Settings, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=settings.root, check=True, capture_output=True)


@pytest.mark.slow
def test_a_remote_named_after_the_first_run_receives_the_data(home: Settings, tmp_path: Path) -> None:
    folder, second = _open(home, "one"), tmp_path / "second, with a comma"
    run_versions.push_run(folder, [], home)
    assert _holds(home.state_dir / "remote", CONTENT)
    run_versions.push_run(folder, [], _name(home, remote_url=str(second)))
    assert _holds(second, CONTENT)


def test_an_earlier_remote_that_is_no_longer_named_is_not_used(home: Settings, tmp_path: Path) -> None:
    data_remote.configure_dvc(_name(home, remote_url=str(tmp_path / "second")))
    data_remote.configure_dvc(home)
    assert "second" not in (home.root / ".dvc" / "config.local").read_text()
    assert str(data_remote.find_data_remote(home)) == f"{home.state_dir / 'remote'} (a folder in the state folder)"


def test_a_rotated_token_replaces_the_former_one_everywhere(home: Settings) -> None:
    old, new = (_name(home, dagshub_repo="ann/clips", dagshub_user_token=token) for token in ("old-token", "new-token"))
    folder = worktree.open_worktree(PipelineRun(id="prepare_data-one", dag="prepare_data", base="HEAD"), old)
    files = [place / ".dvc" / "config.local" for place in (home.root, folder)]
    assert all("secret_access_key = old-token" in file.read_text() for file in files)

    data_remote.configure_dvc(new)
    data_remote.configure_worktree_dvc(folder, new)
    assert all("new-token" in file.read_text() and "old-token" not in file.read_text() for file in files)
    assert str(data_remote.find_data_remote(new)) == "s3://dvc at https://dagshub.com/ann/clips.s3 (REALFRAME_DAGSHUB_REPO)"


@pytest.mark.parametrize("level", ["--local", "--project"])
def test_a_default_remote_set_with_dvc_is_used_and_kept(home: Settings, tmp_path: Path, level: str) -> None:
    data_remote.configure_dvc(_name(home, remote_url="s3://before/data"))
    _dvc(home, "remote", "add", level, "--default", "--force", "mine", str(tmp_path / "mine"))
    _dvc(home, "remote", "modify", "--local", "mine", "jobs", "3")  # DVC keeps credentials apart from the address like this
    data_remote.configure_dvc(home)
    folder = tmp_path / "worktree"
    folder.mkdir()
    data_remote.configure_worktree_dvc(folder, home)
    assert str(data_remote.find_data_remote(home)) == f"{tmp_path / 'mine'} (remote `mine` of DVC's settings)"
    for place in (home.root, folder):
        shared, local = (run_artifacts.read_dvc_config(place / ".dvc" / name) for name in ("config", "config.local"))
        config = {title: shared.get(title, {}) | local.get(title, {}) for title in (*shared, *local)}
        assert config["core"].get("remote", "mine") == "mine"
        assert (place / ".dvc" / config["'remote \"mine\"'"]["url"]).resolve() == tmp_path / "mine"
        assert "before" not in str(config)
    assert data_remote.find_data_remote(home).options["jobs"] == "3"


def test_a_moved_checkout_names_no_former_folder_to_dvc(home: Settings, tmp_path: Path) -> None:
    data_remote.configure_dvc(home)
    moved = home.root.rename(tmp_path / "moved")
    assert RevisionSource(moved, "HEAD").list_files(Path("data")) == []
    assert not home.root.exists()
    data_remote.configure_dvc(Settings(root=moved, home=moved / ".realframe"))
    assert str(home.root) not in (moved / ".dvc" / "config.local").read_text()


def test_two_remotes_that_contradict_each_other_are_an_error_with_both_names(home: Settings, tmp_path: Path) -> None:
    _dvc(home, "remote", "add", "--local", "--default", "mine", "s3://mine/data")
    with pytest.raises(SetupError, match=r"REALFRAME_REMOTE_URL names .*second, but .*config.local makes the remote `mine` the default"):
        data_remote.configure_dvc(_name(home, remote_url=str(tmp_path / "second")))
    assert "s3://mine/data" in (home.root / ".dvc" / "config.local").read_text()


def test_a_remote_that_is_not_the_default_is_not_ignored_silently(home: Settings) -> None:
    _dvc(home, "remote", "add", "--local", "mine", "s3://mine/data")
    with pytest.raises(SetupError, match=r"`mine`, but none of them is the default. `dvc remote default --local mine`"):
        data_remote.configure_dvc(home)


@pytest.mark.slow
def test_a_remote_that_never_answers_ends_in_one_sentence(home: Settings, hanging_port: int) -> None:
    named = _name(home, remote_url=f"http://127.0.0.1:{hanging_port}/data")
    began = time.monotonic()
    with pytest.raises(ServiceError, match=r"data remote http://127.*does not answer within 4 seconds"):
        data_remote.check_data_remote(named, timeout_s=4)
    assert time.monotonic() - began < 15


@pytest.mark.slow
def test_a_remote_that_refuses_connections_stops_the_push_with_its_address(home: Settings, refused_port: int) -> None:
    named = _name(home, remote_url=f"http://127.0.0.1:{refused_port}/data")
    with pytest.raises(ServiceError, match=r"data remote http://127.0.0.1:\d+/data \(REALFRAME_REMOTE_URL\)"):
        run_versions.push_run(_open(home, "one"), [], named)


def test_a_git_remote_that_never_answers_ends_in_one_sentence(home: Settings, hanging_port: int) -> None:
    with pytest.raises(RunError, match=r"ls-remote.*: does not end in 1 seconds"):
        git(home.root, "ls-remote", f"http://127.0.0.1:{hanging_port}/x.git", timeout_s=1)
