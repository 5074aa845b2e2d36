"""Which files of a source have no verdict of a version yet, dealt to shards.

The parts of a job in one table, and what they come to.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from realframe.errors import RunError
from realframe.registry import model_registry
from realframe.scoring.file_source import FileSource, Key, Listed
from realframe.scoring.scoring_job import SCORES, Job, Listing, read_part, write
from realframe.settings import Settings

SHARD = 200
"""Files of a shard, unless told."""
_MOST_SHARDS = 1000  # Airflow maps a task over 1024 at most


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        job: which one.
        model: the version that scores, its number.
        parts: the names of the shards, in order.
        files: how many the source holds.
        todo: how many of them have no verdict yet.
    """

    job: Job
    model: str
    parts: tuple[str, ...]
    files: int
    todo: int


def plan(source: str, settings: Settings, version: str = model_registry.CHAMPION, shard: int = SHARD, name: str = "") -> Plan:
    """List a source, and deal what this version has not scored yet.

    Args:
        source: as :func:`realframe.scoring.file_source.located` gives it.
        settings: of this checkout.
        version: number or alias of the detector; an alias is looked up now, and the whole job is its version's.
        shard: how many files are scored in one go, at least; more where there would be over a thousand shards.
        name: of the job.

    Raises:
        DatasetError: the source can't be listed, or holds nothing.
        RegistryError: there is no such version.
        RunError: the name is none, or that of a job on another source.
    """
    job, model = Job.of(source, name, settings), str(model_registry.named(version).version)
    files = FileSource(source).files()
    job.begin(Listing(source, model, tuple(files)))
    known = job.known(model)
    todo = [each for each in files if each.key not in known]
    shard = max(shard, -(-len(todo) // _MOST_SHARDS))
    dealt = [todo[start : start + shard] for start in range(0, len(todo), shard)]
    parts = {_name(number, model, some): some for number, some in enumerate(dealt)}
    for part, some in parts.items():
        job.lay_out(part, Listing(source, model, tuple(some)))
    return Plan(job, model, tuple(parts), len(files), len(todo))


def _name(number: int, model: str, files: list[Listed]) -> str:
    """Name a shard by its place and by what it is about, so that two who work on a job never take the one for the other."""
    about = hashlib.sha256(repr((model, [each.key for each in files])).encode()).hexdigest()
    return f"part-{number:05}-{about[:8]}"


class JobSummary(BaseModel):
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


def gather(job: Job) -> JobSummary:
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
    return JobSummary(
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
