"""A run's worktree: the user's last commit, the run's parameters and a snapshot of the data, on a branch of its own."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock
from ruamel.yaml import YAML

from bonafide import artefacts
from bonafide.dataset import dealt
from bonafide.errors import DatasetError
from bonafide.files import atomic_path, link_or_copy
from bonafide.metadata.sources import Revision
from bonafide.runs import versions
from bonafide.runs.process import dvc, git
from bonafide.runs.remote import configure, configure_worktree
from bonafide.runs.run import Run
from bonafide.settings import Settings


def open_worktree(run: Run, settings: Settings) -> Path:
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


def close_worktree(run: Run, settings: Settings) -> None:
    """Remove the worktree; its commit, its data in the DVC cache and its MLflow run stay."""
    git(settings.root, "worktree", "remove", "--force", str(run.folder(settings)))


def uncommitted_edits(root: Path) -> tuple[str, ...]:
    """Return the tracked files that differ from the last commit: a run does not see such edits."""
    changed = git(root, "diff", "--name-only", "HEAD").splitlines()
    return tuple(path for path in changed if path)


def snapshot_raw(folder: Path, settings: Settings) -> None:
    """Put the living folder of originals into the worktree and its version under DVC. Raises DatasetError."""
    target = folder / artefacts.RAW
    files = [path for path in settings.raw_dir.rglob("*") if path.is_file()] if settings.raw_dir.exists() else []
    if not files:
        _take_data_of(versions.newest_dataset(settings.root), folder)
        return
    _put(files, settings.raw_dir, target)
    dvc(folder, "add", "--quiet", str(artefacts.RAW))


def snapshot_regression(folder: Path, settings: Settings) -> None:
    """Put the living regression set into the worktree and its version under DVC; an empty set is an empty folder."""
    living, target = settings.regression_dir, folder / artefacts.REGRESSION_MEDIA
    _put([path for path in living.rglob("*") if path.is_file()], living, target)
    target.mkdir(parents=True, exist_ok=True)
    dvc(folder, "add", "--quiet", str(artefacts.REGRESSION_MEDIA))


def take_dataset(folder: Path, tag: str) -> None:
    """Put the data and the parameters of a dataset version into the worktree."""
    _take_data_of(tag, folder)
    # not in the DVC cache but in git: what DVC knows of the outputs, and what it leaves to git; older versions had fewer of these
    in_git = [path for path in (artefacts.SHORTCUTS, artefacts.TAKEDOWNS) if _recorded(folder, tag, path) is not None]
    git(folder, "checkout", tag, "--", "dvc.lock", *map(str, in_git))
    recorded = yaml_at(folder, tag, artefacts.PARAMS)
    write_params(folder, recorded.get("recipe"), recorded.get("overrides") or {})


def write_params(folder: Path, recipe: str | None, overrides: Mapping[str, object]) -> None:
    """Set the recipe and add to the overrides in the worktree's params.yaml, keeping its comments."""
    yaml = YAML()
    path = folder / artefacts.PARAMS
    values = yaml.load(path)
    values["recipe"] = recipe or values["recipe"]
    values["overrides"] = {**(values.get("overrides") or {}), **overrides}
    with atomic_path(path) as temporary:
        yaml.dump(values, temporary)


def keep_deal(folder: Path, tag: str) -> None:
    """Let the worktree's items stay in the splits of a dataset version. Raises MetadataError where that one's data are lost.

    Where nothing has changed since, the file is the very one from which that version was dealt, so that its stage need not run again.
    """
    shown = {path: _recorded(folder, tag, path) for path in (artefacts.PARAMS, Path(f"{artefacts.RAW}.dvc"), artefacts.TAKEDOWNS)}
    if all((folder / path).read_text().strip() == text for path, text in shown.items()):
        git(folder, "checkout", tag, "--", str(artefacts.DEALT))
        return
    version = Revision(folder, tag)
    splits, resolved = version.table(artefacts.SPLITS), version.read(artefacts.RESOLVED)
    if splits is not None and resolved:
        values = YAML(typ="safe").load(resolved)
        dealt.write(folder / artefacts.DEALT, splits, values["split"], values["seed"])


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
        raise DatasetError("data/raw", "there are no originals yet", "Bring some in: `bonafide ingest PATH`, or `bonafide demo-data DIR`.")
    git(folder, "checkout", tag, "--", f"{artefacts.RAW}.dvc")
    dvc(folder, "pull", "--quiet", f"{artefacts.RAW}.dvc")
