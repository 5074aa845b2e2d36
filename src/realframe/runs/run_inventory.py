"""List the runs of a checkout with their state, size and commit, and remove runs.

A run leaves a record, a branch and, unless it finished, its worktree. Removing it deletes all three. Its data in DVC's cache, its MLflow
run and a dataset tag on its commit stay.
"""

import logging
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from realframe.errors import RunError
from realframe.runs.git_dvc import git
from realframe.runs.pipeline_run import PipelineRun, RunState, hold_run_alone, list_saved_runs
from realframe.settings import Settings

_BLOCK_BYTES = 512
_DAY_S = 24 * 3600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunEntry:
    """A run in the list.

    Attributes:
        run: its record.
        state: ``running``, ``finished``, ``failed`` or ``killed``.
        disk_bytes: what its removal frees; files that it shares with DVC's cache are not counted.
        commit: the commit of its results; empty if it made none.
    """

    run: PipelineRun
    state: RunState
    disk_bytes: int
    commit: str

    def find_version(self, versions: Mapping[str, int]) -> int | None:
        """Return the model version whose lineage needs the commit of this run: it was trained, or evaluated again, by this run.

        Args:
            versions: commit -> number of the version, for all registered versions.
        """
        if not self.commit:
            return None
        return versions.get(self.run.base if self.run.dag == "evaluate" else self.commit)


def list_runs(settings: Settings) -> list[RunEntry]:
    """Return the runs of the checkout, the newest first."""
    heads = _list_branch_heads(settings.root)
    runs = list_saved_runs(settings)
    return [RunEntry(run, run.state(settings), _measure_size(run.folder(settings)), _own_commit(run, heads)) for run in runs]


def select_runs(entries: Iterable[RunEntry], *, failed: bool, older_than_days: float | None) -> list[RunEntry]:
    """Return the runs that do not run and meet all conditions.

    Args:
        entries: the runs to choose from.
        failed: only failed and killed runs.
        older_than_days: only runs that started longer ago; None for any.
    """
    oldest = time.time() - (older_than_days or 0) * _DAY_S
    states = {"failed", "killed"} if failed else {"finished", "failed", "killed"}
    return [entry for entry in entries if entry.state in states and (older_than_days is None or entry.run.created.timestamp() <= oldest)]


def remove_run(run: PipelineRun, settings: Settings, *, keep_commit: bool = False) -> None:
    """Remove the worktree, the branch and the record of a run.

    A removal that was killed is completed by the next one, since the record goes last.

    Args:
        run: the run.
        settings: of this checkout.
        keep_commit: keep the branch if the run has committed results.

    Raises:
        RunError: the run is running.
    """
    root = settings.root
    with hold_run_alone(run, settings), FileLock(settings.state_dir / "worktrees.lock"):
        remove_worktree(run.folder(settings), root)
        heads = _list_branch_heads(root)
        if run.branch in heads and not (keep_commit and _own_commit(run, heads)):
            git(root, "branch", "--quiet", "-D", run.branch)
        run.delete_record(settings)


def remove_worktree(folder: Path, root: Path) -> None:
    """Remove a worktree in any condition, also one that git had not finished to create; its branch stays."""
    with suppress(RunError):  # git refuses a folder that is not whole
        git(root, "worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(RunError):  # it is locked if git was killed while it created it
        git(root, "worktree", "unlock", str(folder))
    git(root, "worktree", "prune")


def remove_old_failed_runs(settings: Settings) -> list[PipelineRun]:
    """Remove the failed and killed runs except the newest ``settings.keep_failed_runs``; return them. Commits stay."""
    ended = [run for run in list_saved_runs(settings) if run.state(settings) in ("failed", "killed")]
    removed = []
    for run in ended[settings.keep_failed_runs :]:
        try:
            remove_run(run, settings, keep_commit=True)
        except RunError as error:  # the new run is more important
            _log.warning("an old run could not be removed: %s", error)
        else:
            removed.append(run)
    if removed:
        _log.info("removed %d failed or killed runs, the newest of them %s", len(removed), removed[0].id)
    return removed


def _own_commit(run: PipelineRun, heads: Mapping[str, str]) -> str:
    """Return the commit of the run's branch if the run made one, else an empty string."""
    head = heads.get(run.branch, run.base)
    return "" if head == run.base else head


def _list_branch_heads(root: Path) -> dict[str, str]:
    lines = git(root, "for-each-ref", "--format=%(refname:strip=2) %(objectname)", "refs/heads/runs/").splitlines()
    return dict(line.split() for line in lines)


def _measure_size(folder: Path) -> int:
    """Return the bytes on disk that are in this folder alone; hard links to other folders are not counted."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with suppress(FileNotFoundError):  # the run is writing
                status = (Path(place) / name).lstat()
                total += status.st_blocks * _BLOCK_BYTES if status.st_nlink == 1 else 0
    return total
