"""Commit and tag the outputs of runs, push them, and store the pages of each model version in ``STATE/reports/v<N>/``."""

import logging
from pathlib import Path

from filelock import FileLock

from realframe import artifacts
from realframe.files import link_or_copy
from realframe.registry import dagshub
from realframe.runs import data_remote, ledger_anchor
from realframe.runs.git_dvc import dvc, git
from realframe.settings import Settings

log = logging.getLogger(__name__)

# a run commits its parameters, the pointers to its data, and its metrics; everything else is in the DVC cache
_COMMITTED = (
    "params.yaml",
    "dvc.lock",
    "data/raw.dvc",
    "data/previous_split.json",
    "data/takedowns.json",
    "data/regression.dvc",
    "data/shortcuts.json",
    "models/training.json",
    "reports/metrics.json",
)


def commit_run_files(folder: Path, message: str) -> str:
    """Commit the files that the run changed on the worktree's branch, and return the commit."""
    present = [path for path in _COMMITTED if (folder / path).exists()]
    git(folder, "add", "--force", "--", *present)
    if git(folder, "status", "--porcelain", "--untracked-files=no"):
        git(folder, "commit", "--quiet", "--no-verify", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def find_newest_dataset_tag(folder: Path) -> str | None:
    """Return the tag of the newest dataset version, ``dataset/vN``, or None."""
    tags = git(folder, "tag", "--list", "dataset/v*", "--sort=-version:refname").splitlines()
    return tags[0] if tags else None


def read_dataset_digest(folder: Path, tag: str) -> str:
    """Return the dataset digest that a tag's message records."""
    return git(folder, "tag", "--list", "--format=%(contents:subject)", tag)


def tag_dataset(folder: Path, digest: str, settings: Settings) -> str | None:
    """Tag the worktree's commit as the next dataset version; return None if the newest one has the same digest."""
    with FileLock(settings.state_dir / "tags.lock"):
        newest = find_newest_dataset_tag(folder)
        if newest and read_dataset_digest(folder, newest) == digest:
            return None
        number = int(newest.removeprefix("dataset/v")) + 1 if newest else 1
        tag = f"dataset/v{number}"
        git(folder, "tag", "--annotate", tag, "-m", digest)
    return tag


def push_run(folder: Path, refs: list[str], settings: Settings) -> None:
    """Push the data of a run to the data remote, then its branch and tags to the git remote. Raises ServiceError, RunError."""
    data_remote.check_data_remote(settings)
    data_remote.configure_worktree_dvc(folder, settings)  # again: the remote or its token may be another one than at the start
    dvc(folder, "push", "--run-cache")
    push_refs(folder, refs, settings)


def push_refs(folder: Path, refs: list[str], settings: Settings) -> None:
    """Push branches, tags and the ledger's anchors to the git remote, if one is set. Raises RunError."""
    if settings.git_remote:
        git(folder, "push", "--quiet", settings.git_remote, *refs, account=dagshub.git_environment(settings))
        if problem := ledger_anchor.publish(settings):
            log.warning(problem)


_PAGES = (artifacts.REPORT, artifacts.MODEL_CARD, artifacts.CROISSANT)


def save_pages(folder: Path, version: int, settings: Settings) -> None:
    """Copy the report, the model card and the dataset card of a run to the state folder, over those of an earlier evaluation."""
    for path in _PAGES:
        link_or_copy(folder / path, find_saved_page(version, path, settings))


def find_saved_page(version: int, path: Path, settings: Settings) -> Path:
    """Return the stored copy of a page of a model version; ``path`` is the page's path in a run."""
    return settings.state_dir / "reports" / f"v{version}" / path.name
