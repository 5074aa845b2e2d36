"""A run's worktree: the user's last commit, the run's parameters and a snapshot of the data, on a branch of its own.

A clone of this checkout inside its state folder, with data, models and services of its own: what is tried there stays there.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock
from ruamel.yaml import YAML

from realframe import artifacts
from realframe.data import previous_split
from realframe.errors import DatasetError
from realframe.files import atomic_path, link_or_copy
from realframe.runs import run_versions
from realframe.runs.git_dvc import configure, configure_worktree, dvc, git
from realframe.runs.pipeline_run import PipelineRun
from realframe.settings import Settings
from realframe.store.run_artifacts import RevisionSource


def open_worktree(run: PipelineRun, settings: Settings) -> Path:
    """Make the worktree of ``run``, or return the one that is there: a task that is tried again goes on in it."""
    folder = run.folder(settings)
    settings.state.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.state / "worktrees.lock"):
        if not (folder / ".git").exists():
            shutil.rmtree(folder, ignore_errors=True)
            git(settings.root, "worktree", "prune")
            git(settings.root, "worktree", "add", "--quiet", "-B", run.branch, str(folder), run.base)
        configure(settings.root, settings)
        configure_worktree(folder, settings.root)
    return folder


def close_worktree(run: PipelineRun, settings: Settings) -> None:
    """Remove the worktree; its commit, its data in the DVC cache and its MLflow run stay."""
    git(settings.root, "worktree", "remove", "--force", str(run.folder(settings)))


def uncommitted_edits(root: Path) -> tuple[str, ...]:
    """Return the tracked files that differ from the last commit: a run does not see such edits."""
    changed = git(root, "diff", "--name-only", "HEAD").splitlines()
    return tuple(path for path in changed if path)


def snapshot_raw(folder: Path, settings: Settings) -> None:
    """Put the living folder of originals into the worktree and its version under DVC. Raises DatasetError."""
    target = folder / artifacts.RAW
    files = [path for path in settings.raw_dir.rglob("*") if path.is_file()] if settings.raw_dir.exists() else []
    if not files:
        _take_data_of(run_versions.newest_dataset(settings.root), folder)
        return
    _put(files, settings.raw_dir, target)
    dvc(folder, "add", "--quiet", str(artifacts.RAW))


def snapshot_regression(folder: Path, settings: Settings) -> None:
    """Put the living regression set into the worktree and its version under DVC; an empty set is an empty folder."""
    living, target = settings.regression_dir, folder / artifacts.REGRESSION_MEDIA
    _put([path for path in living.rglob("*") if path.is_file()], living, target)
    target.mkdir(parents=True, exist_ok=True)
    dvc(folder, "add", "--quiet", str(artifacts.REGRESSION_MEDIA))


def take_dataset(folder: Path, tag: str) -> None:
    """Put the data and the parameters of a dataset version into the worktree."""
    _take_data_of(tag, folder)
    # not in the DVC cache but in git: what DVC knows of the outputs, and what it leaves to git; older versions had fewer of these
    in_git = [path for path in (artifacts.SHORTCUTS, artifacts.TAKEDOWNS) if _recorded(folder, tag, path) is not None]
    git(folder, "checkout", tag, "--", "dvc.lock", *map(str, in_git))
    recorded = yaml_at(folder, tag, artifacts.PARAMS)
    write_params(folder, recorded.get("recipe"), recorded.get("overrides") or {})


def write_params(folder: Path, recipe: str | None, overrides: Mapping[str, object]) -> None:
    """Set the recipe and add to the overrides in the worktree's params.yaml, keeping its comments."""
    yaml = YAML()
    path = folder / artifacts.PARAMS
    values = yaml.load(path)
    values["recipe"] = recipe or values["recipe"]
    values["overrides"] = {**(values.get("overrides") or {}), **overrides}
    with atomic_path(path) as temporary:
        yaml.dump(values, temporary)


def keep_deal(folder: Path, tag: str) -> None:
    """Let the worktree's items stay in the splits of a dataset version. Raises MetadataError where that one's data are lost.

    Where nothing has changed since, the file is the very one from which that version was dealt, so that its stage need not run again.
    """
    shown = {path: _recorded(folder, tag, path) for path in (artifacts.PARAMS, Path(f"{artifacts.RAW}.dvc"), artifacts.TAKEDOWNS)}
    if all((folder / path).read_text().strip() == text for path, text in shown.items()):
        git(folder, "checkout", tag, "--", str(artifacts.PREVIOUS_SPLIT))
        return
    version = RevisionSource(folder, tag)
    splits, resolved = version.table(artifacts.SPLITS), version.read(artifacts.RESOLVED)
    if splits is not None and resolved:
        values = YAML(typ="safe").load(resolved)
        previous_split.write(folder / artifacts.PREVIOUS_SPLIT, splits, values["split"], values["seed"])


def yaml_at(folder: Path, revision: str, path: Path) -> dict[str, Any]:
    """Return a YAML file as it stands at a revision."""
    values = YAML(typ="safe").load(git(folder, "show", f"{revision}:{path}"))
    return dict(values or {})


def _put(files: list[Path], origin: Path, target: Path) -> None:
    """Let ``target`` hold these files of ``origin`` and nothing else."""
    shutil.rmtree(target, ignore_errors=True)
    for path in files:
        link_or_copy(path, target / path.relative_to(origin))


def _recorded(folder: Path, revision: str, path: Path) -> str | None:
    """Return a file of git's as it stands at a revision; None where that one has none."""
    if not git(folder, "ls-tree", "--name-only", revision, "--", str(path)):
        return None
    return git(folder, "show", f"{revision}:{path}")


def _take_data_of(tag: str | None, folder: Path) -> None:
    if tag is None:
        raise DatasetError(
            "data/raw", "there are no originals yet", "Bring some in: `realframe ingest PATH`, or `realframe demo-data DIR`."
        )
    git(folder, "checkout", tag, "--", f"{artifacts.RAW}.dvc")
    dvc(folder, "pull", "--quiet", f"{artifacts.RAW}.dvc")


log = logging.getLogger(__name__)

# a server of the user's must not be filled with what a sandbox makes
_OWN = {"mongodb_uri": None, "mlflow_tracking_uri": None, "dagshub_repo": None, "remote_url": None, "git_remote": None}
_VARIABLES = (
    "MONGODB_URI",
    "MLFLOW_TRACKING_URI",
    "REALFRAME_DAGSHUB_REPO",
    "REALFRAME_REMOTE_URL",
    "REALFRAME_GIT_REMOTE",
    "REALFRAME_INBOX",
)


def open_sandbox(name: str, settings: Settings) -> Settings:
    """Clone the last commit of the checkout to ``STATE/<name>``, or bring the clone there up to it; return its settings."""
    folder = settings.state / name
    if not (folder / ".git").exists():
        git(settings.root, "clone", "--quiet", "--no-tags", str(settings.root), str(folder))
    git(folder, "fetch", "--quiet", "--no-tags", "origin", "HEAD")
    git(folder, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
    return settings.model_copy(update={**_OWN, "root": folder, "home": folder / ".realframe", "inbox": None})


def without_servers(environment: dict[str, str]) -> dict[str, str]:
    """Return ``environment`` for a process that works in a sandbox: it hears of no server and of no inbox."""
    return {key: value for key, value in environment.items() if key not in _VARIABLES}
