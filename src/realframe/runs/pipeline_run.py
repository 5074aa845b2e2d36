"""The state of a pipeline run, stored as JSON so that each task of a DAG, in its own process, can load it."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from realframe.errors import RunError
from realframe.files import write_text
from realframe.settings import Settings


class PipelineRun(BaseModel):
    """One run of a DAG or of ``realframe run``.

    Attributes:
        id: name of the run and of its branch ``runs/<id>``.
        dag: the DAG whose stages it runs.
        base: the commit of the user's branch that it started from.
        uncommitted: tracked files with uncommitted edits at its start; the edits are not part of the run.
        started_by: the login name, or in Airflow the user who triggered it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    dag: str
    base: str
    uncommitted: tuple[str, ...] = ()
    started_by: str = ""

    @property
    def branch(self) -> str:
        """The branch on which the run is committed."""
        return f"runs/{self.id}"

    def folder(self, settings: Settings) -> Path:
        """Return the worktree in which the stages run."""
        return settings.state_dir / "runs" / self.id

    def save(self, settings: Settings) -> None:
        """Write the run to ``STATE/runs/<id>.json``."""
        write_text(_run_file(settings, self.id), self.model_dump_json(indent=1))

    @classmethod
    def load(cls, run_id: str, settings: Settings) -> Self:
        """Read what ``save`` wrote. Raises RunError."""
        path = _run_file(settings, run_id)
        if not path.exists():
            raise RunError(run_id, "there is no such run", f"Open runs are listed in {settings.state_dir / 'runs'}.")
        return cls.model_validate_json(path.read_text())


def make_run_id(dag: str, name: str = "") -> str:
    """Return a run id that is a valid branch name: the DAG, and ``name`` (such as Airflow's run id) or the current time."""
    name = name or datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    return f"{dag}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"


def _run_file(settings: Settings, run_id: str) -> Path:
    return settings.state_dir / "runs" / f"{run_id}.json"
