"""The record of a pipeline run, stored as JSON so that each task of a DAG, in its own process, can load it, and its state.

A process that works on a run holds a shared lock on ``STATE/runs/<id>.lock``. The kernel releases it however the process dies, so a run is
known to be running or killed without a process id.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from realframe.errors import RunError
from realframe.files import remove_file, write_text
from realframe.settings import Settings

RunState = Literal["running", "finished", "failed", "killed"]
STOP_HINT = "Stop it first: Ctrl-C in its terminal, or mark its DAG run as failed in Airflow."
_WAITING_S = 24 * 3600.0  # between two tasks of a DAG no process works on the run; after this time the DAG run is taken for dead


class PipelineRun(BaseModel):
    """One run of a DAG or of ``realframe run``.

    Attributes:
        id: name of the run and of its branch ``runs/<id>``.
        dag: the DAG whose stages it runs, or ``evaluate``.
        base: the commit that it started from.
        uncommitted: tracked files with uncommitted edits at its start; the edits are not part of the run.
        started_by: the login name, or in Airflow the user who triggered it.
        recipe: name of its recipe; empty while its parameters have not been written.
        created: when it started, UTC.
        in_tasks: its steps are tasks of an Airflow DAG run, in processes of their own.
        outcome: how it ended; empty while it has not, or if it was killed.
        error: why it failed.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    dag: str
    base: str
    uncommitted: tuple[str, ...] = ()
    started_by: str = ""
    recipe: str = ""
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    in_tasks: bool = False
    outcome: Literal["", "finished", "failed", "killed"] = ""
    error: str = ""

    @property
    def branch(self) -> str:
        """The branch on which the run is committed."""
        return f"runs/{self.id}"

    def folder(self, settings: Settings) -> Path:
        """Return the worktree in which the stages run."""
        return _runs_folder(settings) / self.id

    def log_file(self, settings: Settings) -> Path:
        """Return the file with the output of a run of ``realframe run``; Airflow keeps the logs of its tasks itself."""
        return _runs_folder(settings) / f"{self.id}.log"

    def save(self, settings: Settings) -> None:
        """Write the run to ``STATE/runs/<id>.json``."""
        write_text(_run_file(settings, self.id), self.model_dump_json(indent=1))

    def update(self, settings: Settings, **values: Any) -> Self:
        """Save the stored run with other values of some attributes, and return it."""
        run = type(self).load(self.id, settings).model_copy(update=values)
        run.save(settings)
        return run

    @classmethod
    def load(cls, run_id: str, settings: Settings) -> Self:
        """Read what ``save`` wrote. Raises RunError."""
        path = _run_file(settings, run_id)
        if not path.exists():
            raise RunError(run_id, "there is no such run", "List the runs: `realframe runs list`.")
        return cls.model_validate_json(path.read_text())

    def state(self, settings: Settings) -> RunState:
        """Return the state of the stored run."""
        if _is_held(self, settings):
            return "running"
        if self.outcome:
            return self.outcome
        return "running" if self.in_tasks and time.time() - _last_used(self, settings) < _WAITING_S else "killed"

    def delete_record(self, settings: Settings) -> None:
        """Delete the lock, the log and the JSON file."""
        self.log_file(settings).unlink(missing_ok=True)
        _lock_file(settings, self.id).unlink(missing_ok=True)
        remove_file(_run_file(settings, self.id))


def list_saved_runs(settings: Settings) -> list[PipelineRun]:
    """Return the stored runs, the newest first."""
    names = [path.stem for path in _runs_folder(settings).glob("[!.]*.json")]  # a dot: a killed writer left it
    return sorted((PipelineRun.load(name, settings) for name in names), key=lambda run: (run.created, run.id), reverse=True)


@contextmanager
def hold_run(run: PipelineRun, settings: Settings) -> Iterator[int]:
    """Mark a stored run as running while the block runs, and store why it failed if the block raises.

    Yields the file descriptor of the lock: a child process that has it keeps the run marked as running.
    """
    with _open_lock(run, settings) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(lock.fileno())
        if PipelineRun.load(run.id, settings).outcome:
            run.update(settings, outcome="", error="")
        try:
            yield lock.fileno()
        except Exception as error:
            run.update(settings, outcome="failed", error=str(error))
            raise
        except BaseException:  # Ctrl-C
            run.update(settings, outcome="killed")
            raise


@contextmanager
def hold_run_alone(run: PipelineRun, settings: Settings) -> Iterator[None]:
    """Keep other processes from working on a run while the block runs. Raises RunError if one works on it."""
    with _open_lock(run, settings) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(run.id, "is running", STOP_HINT) from error
        yield


def make_run_id(dag: str, name: str = "") -> str:
    """Return a run id that is a valid branch name: the DAG, and ``name`` (such as Airflow's run id) or the current time."""
    name = name or datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    return f"{dag}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"


def _is_held(run: PipelineRun, settings: Settings) -> bool:
    if not _lock_file(settings, run.id).exists():
        return False
    with _open_lock(run, settings) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _last_used(run: PipelineRun, settings: Settings) -> float:
    lock = _lock_file(settings, run.id)
    return lock.stat().st_mtime if lock.exists() else run.created.timestamp()


def _open_lock(run: PipelineRun, settings: Settings) -> IO[bytes]:
    path = _lock_file(settings, run.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def _runs_folder(settings: Settings) -> Path:
    return settings.state_dir / "runs"


def _run_file(settings: Settings, run_id: str) -> Path:
    return _runs_folder(settings) / f"{run_id}.json"


def _lock_file(settings: Settings, run_id: str) -> Path:
    return _runs_folder(settings) / f"{run_id}.lock"
