"""Open the worktree of a run on its own branch and write the run's parameters and data snapshot to it."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from ruamel.yaml import YAML

from realframe import artifacts
from realframe.config import get_mapping, parse_yaml_mapping, read_yaml
from realframe.data import previous_split
from realframe.errors import DatasetError
from realframe.evaluation import regression_set
from realframe.files import atomic_path, link_or_copy
from realframe.runs import run_versions
from realframe.runs.data_remote import configure_dvc, configure_worktree_dvc
from realframe.runs.git_dvc import dvc, git
from realframe.runs.pipeline_run import PipelineRun
from realframe.runs.run_inventory import remove_worktree
from realframe.settings import Settings
from realframe.store.run_artifacts import RevisionSource

_REVISION_HINT = "The commit holds a malformed file; choose another version."


def open_worktree(run: PipelineRun, settings: Settings) -> Path:
    """Create the worktree of ``run`` and return it; return an existing one, so that a retried task continues in it."""
    folder = run.folder(settings)
    with FileLock(settings.state_dir / "worktrees.lock"):
        if not (folder / ".git").exists():
            remove_worktree(folder, settings.root)
            git(settings.root, "worktree", "add", "--quiet", "-B", run.branch, str(folder), run.base)
    configure_dvc(settings)
    configure_worktree_dvc(folder, settings)
    return folder


def list_uncommitted_files(root: Path) -> tuple[str, ...]:
    """Return the tracked files that differ from the last commit; a run does not include these edits."""
    changed = git(root, "diff", "--name-only", "HEAD").splitlines()
    return tuple(path for path in changed if path)


def snapshot_raw(folder: Path, settings: Settings) -> None:
    """Copy the current originals, ``data/raw``, to the worktree and add them to DVC. Raises DatasetError if there are none."""
    target = folder / artifacts.RAW_MEDIA
    files = [path for path in settings.raw_dir.rglob("*") if path.is_file()] if settings.raw_dir.exists() else []
    if not files:
        _checkout_originals(run_versions.find_newest_dataset_tag(settings.root), folder)
        return
    _replace_files(files, settings.raw_dir, target)
    dvc(folder, "add", str(artifacts.RAW_MEDIA))


def snapshot_regression(folder: Path, settings: Settings, missing: Sequence[tuple[str, str, str]]) -> None:
    """Copy the current regression set to the worktree and add it to DVC; an empty set is an empty folder.

    Args:
        folder: the worktree.
        settings: of the checkout, whose regression set is copied.
        missing: media id, label and reason of each item that has no file here.
    """
    source, target = settings.regression_dir, folder / artifacts.REGRESSION_MEDIA
    _replace_files([path for path in source.rglob("*") if path.is_file()], source, target)
    target.mkdir(parents=True, exist_ok=True)
    regression_set.write_missing(target, missing)
    dvc(folder, "add", str(artifacts.REGRESSION_MEDIA))


def checkout_dataset(folder: Path, tag: str) -> None:
    """Check out the data and the parameters of a dataset version into the worktree."""
    _checkout_originals(tag, folder)
    # git holds dvc.lock and the outputs that DVC does not cache; older versions have fewer of these
    in_git = [path for path in (artifacts.SHORTCUTS, artifacts.TAKEDOWNS) if _read_at(folder, tag, path) is not None]
    git(folder, "checkout", tag, "--", "dvc.lock", *map(str, in_git))
    recorded = read_yaml_at(folder, tag, artifacts.PARAMS)
    write_params(folder, recorded.get("recipe"), get_mapping(recorded, "overrides", f"{artifacts.PARAMS} of {tag}"))


def write_params(folder: Path, recipe: str | None, overrides: Mapping[str, object]) -> str:
    """Set the recipe and add overrides in the worktree's params.yaml, and return its recipe; comments stay. Raises ParamsError."""
    yaml = YAML()
    path = folder / artifacts.PARAMS
    own_overrides = get_mapping(read_yaml(path), "overrides", artifacts.PARAMS)
    values = yaml.load(path)
    values["recipe"] = recipe or values["recipe"]
    values["overrides"] = {**own_overrides, **overrides}
    with atomic_path(path) as temporary:
        yaml.dump(values, temporary)
    return str(values["recipe"])


def keep_previous_split(folder: Path, tag: str) -> None:
    """Write the split assignment of a dataset version, so that the worktree's items stay in their splits.

    If nothing has changed since, the file is the one that the version itself was split with, so the split stage need not run again.

    Raises:
        MetadataError: the version's data are lost.
    """
    recorded = {path: _read_at(folder, tag, path) for path in (artifacts.PARAMS, Path(f"{artifacts.RAW_MEDIA}.dvc"), artifacts.TAKEDOWNS)}
    if all((folder / path).read_text().strip() == text for path, text in recorded.items()):
        git(folder, "checkout", tag, "--", str(artifacts.PREVIOUS_SPLIT))
        return
    version = RevisionSource(folder, tag)
    splits, resolved = version.read_table(artifacts.SPLITS), version.read(artifacts.RESOLVED_PARAMS)
    if splits is not None and resolved:
        values = parse_yaml_mapping(resolved, f"{artifacts.RESOLVED_PARAMS} of {tag}", _REVISION_HINT)
        previous_split.write(folder / artifacts.PREVIOUS_SPLIT, splits, values["split"], values["seed"])


def read_yaml_at(folder: Path, revision: str, path: Path) -> dict[str, Any]:
    """Return the content of a YAML file at a revision. Raises ParamsError."""
    return parse_yaml_mapping(git(folder, "show", f"{revision}:{path}"), f"{path} of {revision}", _REVISION_HINT)


def _replace_files(files: list[Path], source: Path, target: Path) -> None:
    """Replace the content of ``target`` with these files of ``source``."""
    shutil.rmtree(target, ignore_errors=True)
    for path in files:
        link_or_copy(path, target / path.relative_to(source))


def _read_at(folder: Path, revision: str, path: Path) -> str | None:
    """Return the content of a file in git at a revision, or None if it does not exist there."""
    if not git(folder, "ls-tree", "--name-only", revision, "--", str(path)):
        return None
    return git(folder, "show", f"{revision}:{path}")


def _checkout_originals(tag: str | None, folder: Path) -> None:
    if tag is None:
        raise DatasetError("data/raw", "there are no originals yet", "Add some: `realframe ingest PATH`, or `realframe demo-data DIR`.")
    git(folder, "checkout", tag, "--", f"{artifacts.RAW_MEDIA}.dvc")
    dvc(folder, "pull", f"{artifacts.RAW_MEDIA}.dvc")
