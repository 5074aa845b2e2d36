"""The table of verdicts: one row per file, whatever came of it.

A job: the files of one source, one version of the detector, and where their verdicts lie.
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

from realframe.errors import MediaError, RunError
from realframe.files import atomic_path, write_text
from realframe.presentation.result_rows import COLUMNS, Row, row_of
from realframe.scoring.file_source import Key, Listed
from realframe.settings import Settings
from realframe.store.detection_documents import Detection

_TYPES = dict.fromkeys(("probability", "low", "high", "score", "duration_s", "seconds"), pa.float64())
_TYPES |= dict.fromkeys(("width", "height", "looked_at"), pa.int64())
SCORES = pa.schema({name: _TYPES.get(name, pa.string()) for name in COLUMNS})
"""Of a file that was not scored the figures are null and the texts empty; ``file`` is below the source, POSIX."""
PART = pa.schema([*SCORES, pa.field("bytes", pa.int64()), pa.field("stamp", pa.string())])
"""A part also knows which files it is about: one with another size or stamp is another file."""


def row_in_part(said: Detection, listed: Listed) -> Row:
    """Return the row of a file's answer."""
    return row_of(said) | {"file": listed.file, "bytes": listed.bytes, "stamp": listed.stamp}


def unread(listed: Listed, model: str, error: MediaError) -> Row:
    """Return the row of a file that the detector could not even look at."""
    texts = {name: "" for name in COLUMNS if name not in _TYPES}
    known = {"file": listed.file, "bytes": listed.bytes, "stamp": listed.stamp, "verdict": "not scored", "model": model}
    return texts | known | {"looked_at": 0, "seconds": 0.0, "code": error.code, "message": str(error)}


def write(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write rows by file, atomically."""
    ordered = sorted(rows, key=lambda row: row["file"])
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(ordered, schema=schema), temporary, compression="zstd")


def read_part(path: Path) -> list[Row]:
    """Return the rows of a part; none where another realframe wrote it, with other columns."""
    table = pq.read_table(path)
    return table.to_pylist() if table.schema.equals(PART) else []


_NAME = re.compile(r"[\w-][\w.-]{0,79}", re.ASCII)
_LISTING, _TODO, _SCORES = "listing.json", ".todo.json", "scores.parquet"
_PASSING = ("media.unreadable", "media.over-limit", "media.unusable")  # what may be otherwise tomorrow


@dataclass(frozen=True)
class Listing:
    """Files of one source that one version scores.

    Attributes:
        source: where they lie.
        model: the version, its number.
        files: all of a job, or those of one shard.
    """

    source: str
    model: str
    files: tuple[Listed, ...]

    def write(self, path: Path) -> None:
        """Write it down."""
        write_text(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read it again. Raises RunError where it is not there."""
        if not path.exists():
            raise RunError(path, "is not there: the files were not listed", "Begin the job anew: `realframe score SOURCE`.")
        said: dict[str, Any] = json.loads(path.read_text())
        return cls(said["source"], said["model"], tuple(Listed(**each) for each in said["files"]))


@dataclass(frozen=True)
class Job:
    """A job; all that is known of it lies in its folder, ``STATE/scores/<name>``.

    Attributes:
        name: of the job.
        folder: of its parts and its table.
    """

    name: str
    folder: Path

    @classmethod
    def of(cls, source: str, name: str, settings: Settings) -> Self:
        """Return the job of a name; without one it is called after its source. Raises RunError where that is no name."""
        name = name or _named_after(source)
        if not _NAME.fullmatch(name):
            raise RunError(name[:100], "is no name for a job: letters, digits and . _ - only, 80 at most", "Choose another one.")
        return cls(name, settings.state / "scores" / name)

    @property
    def scores(self) -> Path:
        """The table of all verdicts."""
        return self.folder / _SCORES

    def part(self, name: str) -> Path:
        """Where the verdicts of a shard lie, or would lie."""
        return self.folder / f"{name}.parquet"

    def parts(self) -> list[Path]:
        """Return the parts that are there, the oldest first."""
        return sorted(self.folder.glob("part-*.parquet"), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def begin(self, listing: Listing) -> None:
        """Write down what the job is about. Raises RunError where the job of that name is about another source."""
        path = self.folder / _LISTING
        if path.exists() and (other := Listing.read(path).source) != listing.source:
            raise RunError(self.name, f"is the name of a job on other files: {other}", "Give this one another name.")
        listing.write(path)

    def listing(self) -> Listing:
        """Return what the job is about. Raises RunError where nothing was listed yet."""
        return Listing.read(self.folder / _LISTING)

    def lay_out(self, part: str, listing: Listing) -> None:
        """Write down what a shard is about. A part of that name holds nothing but what is tried again."""
        self.part(part).unlink(missing_ok=True)
        listing.write(self.folder / f"{part}{_TODO}")

    def todo(self, part: str) -> Listing:
        """Return what a shard is about. Raises RunError where it was not laid out."""
        return Listing.read(self.folder / f"{part}{_TODO}")

    def known(self, model: str) -> set[Key]:
        """Return the files of which a version has said something for good; one that could not be read is tried again."""
        rows = [row for path in self.parts() for row in read_part(path)]
        return {(row["file"], row["bytes"], row["stamp"]) for row in rows if row["model"] == model and row["code"] not in _PASSING}

    def tidy(self, needed: set[Path], model: str, answered: set[Key]) -> None:
        """Take away what nobody needs any more.

        Args:
            needed: the parts that stay.
            model: the version whose table was written.
            answered: the files of which the table says something; what is laid out for other ones stays, somebody may be at work on it.
        """
        for path in set(self.parts()) - needed:
            path.unlink(missing_ok=True)
        for path in self.folder.glob(f"part-*{_TODO}"):
            listing = Listing.read(path)
            if listing.model == model and answered.issuperset(each.key for each in listing.files):
                path.unlink(missing_ok=True)


def _named_after(source: str) -> str:
    last = re.sub(r"[^A-Za-z0-9_-]+", "-", source.rstrip("/").rpartition("/")[2]).strip("-")[:40]
    return f"{last or 'files'}-{hashlib.sha256(source.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"
