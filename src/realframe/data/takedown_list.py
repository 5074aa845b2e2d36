"""Read and write the list of taken-down media items, and delete the files of an item from a folder of originals."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from realframe.data.file_hashes import HashIndex
from realframe.data.labels import LABELS_FILE
from realframe.errors import TakenDownError
from realframe.files import write_text


def write(path: Path, media_ids: Iterable[str]) -> None:
    """Write the ids, sorted; equal lists have equal bytes."""
    write_text(path, json.dumps(sorted(set(media_ids)), indent=0) + "\n")


def read(path: Path) -> frozenset[str]:
    """Return the ids; none where the file does not exist."""
    return frozenset(json.loads(path.read_text())) if path.exists() else frozenset()


def make_taken_down_error(subject: object, media_id: str) -> TakenDownError:
    """Return the error for a file with the bytes of a taken-down item."""
    hint = f"Delete the file. Who requested the takedown, and why: `realframe lineage {media_id}`."
    return TakenDownError(subject, "was taken down on request", hint)


def delete_originals(folder: Path, media_id: str, hashes: HashIndex, workers: int) -> list[Path]:
    """Delete every file below ``folder`` with an item's bytes, and its rows in the batches' CSV files; return the deleted files."""
    files = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()] if folder.exists() else []
    copies = sorted(file for file, sha256 in hashes.hash_files(files, workers).items() if sha256 == media_id)
    for file in copies:
        file.unlink()
        for parent in file.relative_to(folder).parents:
            _remove_row(folder / parent / LABELS_FILE, file)
    return copies


def _remove_row(label_csv: Path, file: Path) -> None:
    """Remove a file's row from a CSV that ``IngestBatch.add_entries`` wrote. A CSV with other columns is the user's and is not changed."""
    if not label_csv.exists():
        return
    rows = list(csv.reader(io.StringIO(label_csv.read_text(encoding="utf-8-sig"))))
    if not rows or rows[0][:2] != ["file_path", "label"]:
        return
    remaining = [row for row in rows if not row or (label_csv.parent / row[0]).absolute() != file.absolute()]
    if len(remaining) < len(rows):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(remaining)
        write_text(label_csv, text.getvalue())
