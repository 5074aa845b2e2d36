"""Which files of a source have no verdict of a version yet, dealt to shards."""

import hashlib
from dataclasses import dataclass

from bonafide.scoring.job import Job, Listing
from bonafide.scoring.source import Listed, Source
from bonafide.settings import Settings
from bonafide.tracking import registry

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


def plan(source: str, settings: Settings, version: str = registry.CHAMPION, shard: int = SHARD, name: str = "") -> Plan:
    """List a source, and deal what this version has not scored yet.

    Args:
        source: as :func:`bonafide.scoring.source.located` gives it.
        settings: of this checkout.
        version: number or alias of the detector; an alias is looked up now, and the whole job is its version's.
        shard: how many files are scored in one go, at least; more where there would be over a thousand shards.
        name: of the job.

    Raises:
        DatasetError: the source can't be listed, or holds nothing.
        RegistryError: there is no such version.
        RunError: the name is none, or that of a job on another source.
    """
    job, model = Job.of(source, name, settings), str(registry.named(version).version)
    files = Source(source).files()
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
