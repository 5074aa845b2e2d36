"""Media items that must not be used any more: the list that a run carries, and taking one's files out of a folder of originals."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from realframe.data.file_hashes import HashIndex
from realframe.data.ingest_batch import SHEET
from realframe.errors import TakenDownError
from realframe.files import write_text


def write(path: Path, media_ids: Iterable[str]) -> None:
    """Write the ids, sorted; equal lists have equal bytes."""
    write_text(path, json.dumps(sorted(set(media_ids)), indent=0) + "\n")


def read(path: Path) -> frozenset[str]:
    """Return the ids; none where there is no list."""
    return frozenset(json.loads(path.read_text())) if path.exists() else frozenset()


def refusal(thing: object) -> TakenDownError:
    """Return why a file with such an item's bytes is not used."""
    hint = "Delete the file. Who asked for it and why: `realframe lineage` with its id."
    return TakenDownError(thing, "was taken down on request", hint)


def remove(folder: Path, media_id: str, hashes: HashIndex, workers: int) -> list[Path]:
    """Delete every file below ``folder`` with an item's bytes, and what the batches' sheets say of it; return the files."""
    files = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()] if folder.exists() else []
    found = sorted(file for file, sha256 in hashes.sha256(files, workers).items() if sha256 == media_id)
    for file in found:
        file.unlink()
        for parent in file.relative_to(folder).parents:
            _forget(folder / parent / SHEET, file)
    return found


def _forget(sheet: Path, file: Path) -> None:
    """Leave a file out of a sheet that ``Batch.say`` wrote; a sheet of a user's own, with other columns, stays as it is."""
    if not sheet.exists():
        return
    rows = list(csv.reader(io.StringIO(sheet.read_text(encoding="utf-8-sig"))))
    if not rows or rows[0][:2] != ["file_path", "label"]:
        return
    kept = [row for row in rows if not row or (sheet.parent / row[0]).absolute() != file.absolute()]
    if len(kept) < len(rows):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(kept)
        write_text(sheet, text.getvalue())
