"""The three steps of a scoring job: plan it, score its shards, and gather the parts into one table.

The plan splits the files without a verdict into shards. A shard whose part exists is skipped.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from realframe.detection import approved_bundle
from realframe.detection.batch import BatchDetector
from realframe.detection.result import BatchFile, RemoteFile
from realframe.errors import RunError
from realframe.registry import model_registry
from realframe.scoring.file_source import FileKey, FileSource, SourceFile
from realframe.scoring.scoring_job import PART_SCHEMA, SCORES_SCHEMA, FileListing, ScoringJob, part_row, read_part, row_key, write_rows
from realframe.settings import Settings, get_settings
from realframe.store.predictions import store_predictions
from realframe.store.repository import Store, open_store
from realframe.webhooks import send_event

SHARD_SIZE = 200
"""Default number of files in a shard."""
_MAX_SHARDS = 1000  # Airflow maps a task over 1024 at most


@dataclass(frozen=True)
class ScoringPlan:
    """The work of a job.

    Attributes:
        job: the job.
        model: the number of the version that scores.
        shards: their names, in order.
        file_count: files in the source.
        pending_count: files without a final verdict.
    """

    job: ScoringJob
    model: str
    shards: tuple[str, ...]
    file_count: int
    pending_count: int


def plan_job(
    source: str, settings: Settings, version: str = model_registry.CHAMPION, shard_size: int = SHARD_SIZE, name: str = ""
) -> ScoringPlan:
    """List a source and split the files that this version has not scored into shards.

    Args:
        source: as :func:`realframe.scoring.file_source.resolve_source` returns it.
        settings: of this checkout.
        version: number or alias of the detector; an alias is resolved now, and the whole job uses its version.
        shard_size: files in a shard, at least; more where there would be over a thousand shards.
        name: of the job; by default named after its source.

    Raises:
        DatasetError: the source cannot be listed, or contains no media file.
        RegistryError: there is no such version.
        MetadataError: the ledger cannot be read.
        RunError: the name is not valid, or a job for another source has it.
    """
    job, model_version = ScoringJob.open(source, name, settings), model_registry.resolve_version(version)
    files, model = FileSource(source).list_files(), str(model_version.version)
    listing = FileListing(source, model, approved_bundle.find_answer_key(model_version), tuple(files))
    job.write_listing(listing)
    final = job.final_keys(listing)
    pending = [file for file in files if file.key not in final]
    shard_size = max(shard_size, -(-len(pending) // _MAX_SHARDS))
    chunks = [pending[start : start + shard_size] for start in range(0, len(pending), shard_size)]
    shards = {_shard_name(index, listing, chunk): chunk for index, chunk in enumerate(chunks)}
    for shard, chunk in shards.items():
        job.write_shard(shard, replace(listing, files=tuple(chunk)))
    return ScoringPlan(job, model, tuple(shards), len(files), len(pending))


def _shard_name(index: int, listing: FileListing, files: list[SourceFile]) -> str:
    """Name a shard by its index and its content, so that two processes that plan a job differently never mix up their shards."""
    content = hashlib.sha256(repr((listing.model_version, listing.answer_key, [file.key for file in files])).encode()).hexdigest()
    return f"part-{index:05}-{content[:8]}"


def score_shards(job: ScoringJob, shards: Sequence[str], settings: Settings, on_file: Callable[[], None] = lambda: None) -> None:
    """Score shards with one detector, store the predictions, and write the part of each shard.

    A file that cannot be scored has a row with the reason. Results are cached one by one: after a kill, none is computed again.

    Args:
        job: the job of the shards.
        shards: their names.
        settings: of this checkout.
        on_file: is called after each file.

    Raises:
        RunError: there is no such shard, or the registry has another version under that number by now.
        RegistryError: the version does not exist any more, or what decides its answers is missing or was changed.
        MetadataError: the predictions cannot be stored.
    """
    listings = {shard: job.read_shard(shard) for shard in shards if not job.part_path(shard).exists()}
    if not listings:
        return
    first = next(iter(listings.values()))
    if approved_bundle.find_answer_key(model_registry.get_version(int(first.model_version))) != first.answer_key:
        reason = f"version {first.model_version} is not the one that the job was planned for: the registry or the ledger was changed since"
        raise RunError(job.name, reason, "Start the job again: `realframe score SOURCE`.")
    detector = BatchDetector.open(first.model_version, settings, job.folder)
    with open_store(settings) as store:
        for shard, listing in listings.items():
            _score_shard(listing, job.part_path(shard), detector, store, on_file)


def _score_shard(listing: FileListing, target: Path, detector: BatchDetector, store: Store, on_file: Callable[[], None]) -> None:
    source, rows, results = FileSource(listing.source), [], []
    items = detector.score_files([_batch_file(source, file) for file in listing.files])
    for file, item in zip(listing.files, items, strict=True):
        rows.append(part_row(item.result.detection, file, listing.answer_key))
        results.append(item.result.without_pictures())  # the pictures of a whole shard would fill the memory
        on_file()
    store_predictions(store, results)
    write_rows(target, rows, PART_SCHEMA)


def _batch_file(source: FileSource, file: SourceFile) -> BatchFile:
    if source.is_local:
        return BatchFile(file.file, Path(file.location))
    key = repr((source.address, file.key))
    return BatchFile(file.file, RemoteFile(key, lambda max_bytes: source.fetch(file, max_bytes)))


class JobSummary(BaseModel):
    """The outcome of a job.

    Attributes:
        job: its name.
        source: of the files.
        model: the version that scored them.
        files: how many there are.
        verdicts: files with each verdict.
        reasons: files that were not scored, by error code.
        table: path of the score table.
    """

    job: str
    source: str
    model: str
    files: int
    verdicts: dict[str, int]
    reasons: dict[str, int]
    table: str

    def __str__(self) -> str:
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in self.verdicts.items())
        reasons = ", ".join(f"{count} {code}" for code, count in self.reasons.items())
        return f"{self.files} files by version {self.model}: {verdicts}{f' ({reasons})' if reasons else ''}; {self.table}"


def gather_scores(job: ScoringJob) -> JobSummary:
    """Write the table of all files of the latest listing, and remove the parts that are not needed any more.

    Raises:
        RunError: files have no row, because a shard was not scored or another process lists the job again.
    """
    listing = job.read_listing()
    listed = {file.key for file in listing.files}
    rows, needed_parts = _collect_rows(job, listing, listed)
    if missing := len(listed) - len(rows):
        reason = f"{missing} of {len(listed)} files have no verdict yet"
        raise RunError(job.name, reason, "Start the job again: it continues where it stopped.")
    write_rows(job.scores_path, ({name: row[name] for name in SCORES_SCHEMA.names} for row in rows.values()), SCORES_SCHEMA)
    job.remove_obsolete(needed_parts, listing.model_version, listed)
    verdicts, reasons = (Counter(row[name] for row in rows.values() if row[name]) for name in ("verdict", "code"))
    summary = JobSummary(
        job=job.name,
        source=listing.source,
        model=listing.model_version,
        files=len(rows),
        verdicts=dict(sorted(verdicts.items())),
        reasons=dict(sorted(reasons.items())),
        table=str(job.scores_path),
    )
    send_event("job.done", summary.model_dump(), get_settings())
    return summary


def _collect_rows(job: ScoringJob, listing: FileListing, listed: set[FileKey]) -> tuple[dict[FileKey, dict[str, Any]], set[Path]]:
    """Return the row of each listed file, and the parts with these rows; of two rows of a file the newer one counts."""
    rows: dict[FileKey, dict[str, Any]] = {}
    parts: dict[FileKey, Path] = {}
    for path in job.list_parts():
        for row in read_part(path):
            key = row_key(row)
            if listing.contains_answer(row) and key in listed:
                rows[key], parts[key] = row, path
    return rows, set(parts.values())
