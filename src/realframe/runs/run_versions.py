"""The versions that runs leave behind: commits on ``runs/...`` branches, ``dataset/vN`` tags, and what is pushed.

The pages of each model version, kept where they outlive its run's worktree: ``STATE/reports/v<N>/``.
"""

from pathlib import Path

from filelock import FileLock

from realframe import artifacts
from realframe.files import link_or_copy
from realframe.runs.git_dvc import dvc, git
from realframe.settings import Settings

# what a run commits: the parameters, the pointers to the data, and the figures; everything else is in the DVC cache
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


def commit(folder: Path, message: str) -> str:
    """Commit what the run changed on the worktree's branch, and return the commit."""
    present = [path for path in _COMMITTED if (folder / path).exists()]
    git(folder, "add", "--force", "--", *present)
    if git(folder, "status", "--porcelain", "--untracked-files=no"):
        git(folder, "commit", "--quiet", "--no-verify", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def newest_dataset(folder: Path) -> str | None:
    """Return the tag of the newest dataset version, ``dataset/vN``, or None."""
    tags = git(folder, "tag", "--list", "dataset/v*", "--sort=-version:refname").splitlines()
    return tags[0] if tags else None


def digest_of(folder: Path, tag: str) -> str:
    """Return the dataset digest that a tag's message records."""
    return git(folder, "tag", "--list", "--format=%(contents:subject)", tag)


def tag_dataset(folder: Path, digest: str, settings: Settings) -> str | None:
    """Tag the worktree's commit as the next dataset version; return None where the newest one holds the same data."""
    with FileLock(settings.state / "tags.lock"):
        newest = newest_dataset(folder)
        if newest and digest_of(folder, newest) == digest:
            return None
        number = int(newest.removeprefix("dataset/v")) + 1 if newest else 1
        tag = f"dataset/v{number}"
        git(folder, "tag", "--annotate", tag, "-m", digest)
    return tag


def push(folder: Path, refs: list[str], settings: Settings) -> None:
    """Push the data to the DVC remote and, where a git remote is set, the branch and tags to it."""
    dvc(folder, "push", "--quiet", "--run-cache")
    if settings.git_remote:
        git(folder, "push", "--quiet", settings.git_remote, *refs)


_KEPT = (artifacts.REPORT, artifacts.CARD, artifacts.CROISSANT)


def keep(folder: Path, version: int, settings: Settings) -> None:
    """Copy the report, the model card and the card of the data out of a run's folder; those of an earlier evaluation are replaced."""
    for path in _KEPT:
        link_or_copy(folder / path, kept(version, path, settings))


def kept(version: int, path: Path, settings: Settings) -> Path:
    """Return where one of these pages, named by its artifact's path, lies for a model version."""
    return settings.state / "reports" / f"v{version}" / path.name
