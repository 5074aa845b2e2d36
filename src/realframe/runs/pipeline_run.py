"""What a run knows of itself, kept in one small file so that each task of a DAG, in a process of its own, can go on with it."""

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
        id: its name, also of its branch ``runs/<id>``.
        dag: the DAG whose stages it runs.
        base: the commit of the user's branch that it started from.
        uncommitted: edits of tracked files that were there at its start and are not part of it.
        started_by: whose run it is: the login name, or in Airflow the user who triggered it.
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
        return settings.state / "runs" / self.id

    def save(self, settings: Settings) -> None:
        """Write it beside its worktree."""
        write_text(_file(settings, self.id), self.model_dump_json(indent=1))

    @classmethod
    def load(cls, run_id: str, settings: Settings) -> Self:
        """Read what ``save`` wrote. Raises RunError."""
        path = _file(settings, run_id)
        if not path.exists():
            raise RunError(run_id, "there is no such run here", f"Open runs are listed in {settings.state / 'runs'}.")
        return cls.model_validate_json(path.read_text())


def run_name(dag: str, asked: str = "") -> str:
    """Return a name that git takes for a branch: the DAG and ``asked`` (such as Airflow's run id), or else the time."""
    name = asked or datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    return f"{dag}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"


def _file(settings: Settings, run_id: str) -> Path:
    return settings.state / "runs" / f"{run_id}.json"
