"""A scoring job on disk: the listing of its files, the shards that are to be scored, and the parts of the score table.

A job is about the files of one source and one version of the detector. Its folder is ``STATE/scores/<name>``::

    listing.json                    the source, the version and all files
    part-00000-1a2b3c4d.todo.json   a shard: files that are to be scored together
    part-00000-1a2b3c4d.parquet     its part: one row per file, scored or not
    scores.parquet                  the table of all files
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from realframe.errors import RunError, is_retryable_code
from realframe.files import write_text
from realframe.presentation.result_rows import COLUMNS, Row, build_detection_row
from realframe.scoring.file_source import FileKey, SourceFile
from realframe.settings import Settings
from realframe.store.detection_documents import Detection
from realframe.tables import write_table

_TYPES = dict.fromkeys(("probability", "low", "high", "score", "duration_s", "seconds"), pa.float64())
_TYPES |= dict.fromkeys(("width", "height", "frames_analyzed"), pa.int64())
SCORES_SCHEMA = pa.schema({name: _TYPES.get(name, pa.string()) for name in COLUMNS})
"""A file that was not scored has null figures and empty texts; ``file`` is its name below the source, POSIX."""
PART_SCHEMA = pa.schema(
    [*SCORES_SCHEMA, pa.field("bytes", pa.int64()), pa.field("stamp", pa.string()), pa.field("answer_key", pa.string())]
)
"""A part also identifies the content of its files (a file with another size or stamp is another file) and what decided the answers."""
_JOB_NAME = re.compile(r"[\w-][\w.-]{0,79}", re.ASCII)
_LISTING, _SHARD_SUFFIX, _SCORES = "listing.json", ".todo.json", "scores.parquet"


@dataclass(frozen=True)
class FileListing:
    """Files of one source that one version scores.

    Attributes:
        source: folder or URL.
        model_version: its number.
        answer_key: identifies everything that decides the answers of that version.
        files: all files of a job, or those of one shard.
    """

    source: str
    model_version: str
    answer_key: str
    files: tuple[SourceFile, ...]

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read it from JSON. Raises RunError where the file does not exist."""
        if not path.exists():
            raise RunError(path, "does not exist: the files were not listed", "Start the job again: `realframe score SOURCE`.")
        data: dict[str, Any] = json.loads(path.read_text())
        files = tuple(SourceFile(**file) for file in data["files"])
        return cls(data["source"], data["model_version"], data.get("answer_key", ""), files)

    def contains_answer(self, row: Row) -> bool:
        """Return whether a part's row is the answer of this version as it is now."""
        return (row["model"], row["answer_key"]) == (self.model_version, self.answer_key)


@dataclass(frozen=True)
class ScoringJob:
    """A job, whose whole state is in its folder.

    Attributes:
        name: of the job.
        folder: of its listing, shards, parts and table.
    """

    name: str
    folder: Path

    @classmethod
    def open(cls, source: str, name: str, settings: Settings) -> Self:
        """Return the job with this name; without a name, it is named after its source. Raises RunError where the name is not valid."""
        name = name or _default_name(source)
        if not _JOB_NAME.fullmatch(name):
            raise RunError(name[:100], "is not a valid job name", "Use at most 80 letters, digits and the characters . _ -")
        return cls(name, settings.state_dir / "scores" / name)

    @property
    def scores_path(self) -> Path:
        """The table of all verdicts."""
        return self.folder / _SCORES

    def part_path(self, shard: str) -> Path:
        """Return where the rows of a shard are, or will be."""
        return self.folder / f"{shard}.parquet"

    def list_parts(self) -> list[Path]:
        """Return the existing parts, the oldest first."""
        return sorted(self.folder.glob("part-*.parquet"), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def write_listing(self, listing: FileListing) -> None:
        """Store the files of the job. Raises RunError where a job with this name exists for another source."""
        path = self.folder / _LISTING
        if path.exists() and (other := FileListing.read(path).source) != listing.source:
            raise RunError(self.name, f"is the name of a job for another source: {other}", "Choose another name for this job.")
        listing.write(path)

    def read_listing(self) -> FileListing:
        """Return the files of the job. Raises RunError where they were not listed."""
        return FileListing.read(self.folder / _LISTING)

    def write_shard(self, shard: str, listing: FileListing) -> None:
        """Store the files of a shard. An existing part with its name holds only files that are to be scored again, and is removed."""
        self.part_path(shard).unlink(missing_ok=True)
        listing.write(self.folder / f"{shard}{_SHARD_SUFFIX}")

    def read_shard(self, shard: str) -> FileListing:
        """Return the files of a shard. Raises RunError where there is no such shard."""
        return FileListing.read(self.folder / f"{shard}{_SHARD_SUFFIX}")

    def final_keys(self, listing: FileListing) -> set[FileKey]:
        """Return the files with a final row of the listing's version; a file with a retryable error is scored again."""
        rows = [row for path in self.list_parts() for row in read_part(path)]
        return {row_key(row) for row in rows if listing.contains_answer(row) and not is_retryable_code(row["code"])}

    def remove_obsolete(self, needed_parts: set[Path], model_version: str, scored: set[FileKey]) -> None:
        """Remove parts and shards that are not needed any more.

        Args:
            needed_parts: the parts that stay.
            model_version: the version whose table was written.
            scored: the files in the table; a shard with any other file stays, because it may be in work.
        """
        for path in set(self.list_parts()) - needed_parts:
            path.unlink(missing_ok=True)
        for path in self.folder.glob(f"part-*{_SHARD_SUFFIX}"):
            listing = FileListing.read(path)
            if listing.model_version == model_version and scored.issuperset(file.key for file in listing.files):
                path.unlink(missing_ok=True)


def part_row(detection: Detection, file: SourceFile, answer_key: str) -> Row:
    """Return the row of a detection in a part."""
    identity = {"file": file.file, "bytes": file.bytes, "stamp": file.stamp, "answer_key": answer_key}
    return build_detection_row(detection) | identity


def row_key(row: Row) -> FileKey:
    """Return the key of the file of a part's row."""
    return row["file"], row["bytes"], row["stamp"]


def write_rows(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write rows sorted by file, atomically."""
    write_table(sorted(rows, key=lambda row: row["file"]), path, schema)


def read_part(path: Path) -> list[Row]:
    """Return the rows of a part; none where another realframe wrote it with other columns."""
    table = pq.read_table(path)
    return table.to_pylist() if table.schema.equals(PART_SCHEMA) else []


def _default_name(source: str) -> str:
    last = re.sub(r"[^A-Za-z0-9_-]+", "-", source.rstrip("/").rpartition("/")[2]).strip("-")[:40]
    return f"{last or 'files'}-{hashlib.sha256(source.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"
