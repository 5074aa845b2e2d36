"""The parts of a job in one table, and what they come to."""

from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bonafide.errors import RunError
from bonafide.scoring.job import Job
from bonafide.scoring.source import Key
from bonafide.scoring.table import SCORES, read_part, write


class Summary(BaseModel):
    """What came of a job.

    Attributes:
        job: its name.
        source: of the files.
        model: the version that scored them.
        files: how many there are.
        verdicts: how many of them got each verdict.
        reasons: how many were not scored, by the code of why.
        table: where the verdicts lie.
    """

    job: str
    source: str
    model: str
    files: int
    verdicts: dict[str, int]
    reasons: dict[str, int]
    table: str

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self.verdicts.items())
        why = ", ".join(f"{count} {code}" for code, count in self.reasons.items())
        return f"{self.files} files by version {self.model}: {counts}{f' ({why})' if why else ''}; {self.table}"


def gather(job: Job) -> Summary:
    """Write the table of all files that were listed last, and take away the parts that none of them needs.

    Raises RunError where some have no row: a shard was not scored, or somebody else lists the job anew.
    """
    listing = job.listing()
    wanted = {each.key for each in listing.files}
    rows, needed = _rows(job, listing.model, wanted)
    if missing := len(wanted) - len(rows):
        raise RunError(job.name, f"{missing} of {len(wanted)} files have no verdict yet", "Start it again: it goes on where it stopped.")
    write(job.scores, ({name: row[name] for name in SCORES.names} for row in rows.values()), SCORES)
    job.tidy(needed, listing.model, wanted)
    verdicts, reasons = (Counter(row[name] for row in rows.values() if row[name]) for name in ("verdict", "code"))
    return Summary(
        job=job.name,
        source=listing.source,
        model=listing.model,
        files=len(rows),
        verdicts=dict(sorted(verdicts.items())),
        reasons=dict(sorted(reasons.items())),
        table=str(job.scores),
    )


def _rows(job: Job, model: str, wanted: set[Key]) -> tuple[dict[Key, dict[str, Any]], set[Path]]:
    """Return the row of each file that is wanted, and the parts that they come from; the newest of two rows counts."""
    rows: dict[Key, dict[str, Any]] = {}
    origin: dict[Key, Path] = {}
    for path in job.parts():
        for row in read_part(path):
            key = (row["file"], row["bytes"], row["stamp"])
            if row["model"] == model and key in wanted:
                rows[key], origin[key] = row, path
    return rows, set(origin.values())
