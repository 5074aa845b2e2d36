"""What a folder of files says of each of them: its label, and where given its generator, source, group and split.

Understood are

* ``{real,fake}/**`` anywhere in the path, the nearest folder wins; other words for the two stand in ``labels.py``
  (``ai``, ``Celeb-real``, ``Celeb-synthesis``, ...), in any case;
* ``fake/<generator>/**`` and ``real/<source>/**``;
* ``{train,val,test}/**/{real,fake}/**``: a split that is kept;
* CSV files anywhere in the folder, see ``sheets.py``. What a CSV says beats what the folders say.
"""

import os
from collections.abc import Iterator
from functools import reduce
from pathlib import Path, PurePosixPath

from realframe.data.csv_sheets import is_sheet, read_sheet
from realframe.data.labels import FileEntry, label_of_folder, merged, overlaid, split_of
from realframe.errors import MediaError, UnreadableFileError

_TEXTS = ".csv .tsv .md .txt .json .jsonl .yaml .yml .xml .html .htm .srt .vtt .log .md5 .sha256 .dvc"
_SIDECARS = frozenset(_TEXTS.split())
_PAPERS = frozenset(("license", "licence", "readme", "copying", "notice", "authors", "citation"))
_DEBRIS = frozenset(("__macosx", "thumbs.db", "desktop.ini"))


def read_layout(folder: Path, manifest: Path | None = None) -> list[FileEntry]:
    """List the files of a folder with what is said of them, sorted by path.

    Hidden files and text that lies beside media (CSV, Markdown, JSON, licences, ...) are passed over; every other file is listed, also one
    that is no media at all. A file of which nothing says what it is has an empty label.

    Args:
        folder: what to read, with all that is below it. Links to folders are not followed, but listed as a problem.
        manifest: the CSV to read, instead of those in the folder.

    Raises:
        LabelConflictError: two rows give one file both labels.
        DatasetError: a CSV that can't be read, or a split that is none.
    """
    entries = {entry.path: entry for entry in (_from_folders(folder, path, problem) for path, problem in files_of(folder))}
    sheets = (
        [manifest] if manifest else sorted(file for file in folder.rglob("*.[cC][sS][vV]") if _visible(file, folder) and is_sheet(file))
    )
    for path, said in _said_by(sheets, folder).items():
        entries[path] = overlaid(said, entries.get(path) or _from_folders(folder, path))
    return [entries[path] for path in sorted(entries)]


def read_named(manifest: Path) -> list[FileEntry]:
    """List only the files that a CSV names, relative to its folder, as :func:`read_layout` does."""
    folder = manifest.parent
    return [overlaid(said, _from_folders(folder, path)) for path, said in sorted(_said_by([manifest], folder).items())]


def read_file(file: Path, manifest: Path | None = None) -> FileEntry:
    """Say of one file, relative to its folder, what :func:`read_layout` says of it."""
    said = _said_by([manifest] if manifest else [], file.parent)
    return overlaid(said.get(file.name, FileEntry(file.name)), _from_folders(file.parent, file.name))


def _said_by(sheets: list[Path], folder: Path) -> dict[str, FileEntry]:
    """What the CSV files say of each path; of two rows about one file the second fills what the first leaves open."""
    rows: dict[str, list[FileEntry]] = {}
    for sheet in sheets:
        for entry in read_sheet(sheet, folder):
            rows.setdefault(entry.path, []).append(entry)
    return {path: reduce(merged, entries) for path, entries in rows.items()}


def _from_folders(folder: Path, path: str, problem: MediaError | None = None) -> FileEntry:
    """Read the folder names of a path, the folder itself being the uppermost (``realframe ingest ~/fake`` says enough)."""
    parents = (folder.resolve().name, *PurePosixPath(path).parts[:-1])
    nearest = next((at for at in reversed(range(len(parents))) if label_of_folder(parents[at])), None)
    if nearest is None:
        return FileEntry(path, problem=problem)
    label = label_of_folder(parents[nearest])
    below = parents[nearest + 1] if nearest + 1 < len(parents) else ""
    above = (split_of(name) for name in reversed(parents[1:nearest]))
    split = next((name for name in above if name), "")
    return FileEntry(path, label, below if label == "fake" else "", below if label == "real" else "", split=split, problem=problem)


def files_of(folder: Path) -> Iterator[tuple[str, MediaError | None]]:
    """Yield every file that may be media, relative to the folder, with what is wrong with it."""
    for here, folders, names in os.walk(folder):
        base = Path(here)
        folders[:] = sorted(name for name in folders if _seen(name))
        for name in [name for name in folders if (base / name).is_symlink()]:
            path = (base / name).relative_to(folder).as_posix()
            yield path, UnreadableFileError(path, "is a link to a folder, which is not followed", "Name that folder itself.")
        for name in sorted(name for name in names if _seen(name) and not _is_sidecar(name)):
            path = (base / name).relative_to(folder).as_posix()
            yield path, None if _is_utf8(path) else UnreadableFileError(path, "has a name that is not UTF-8", "Rename it.")


def may_be_media(path: str) -> bool:
    """Say of a path, with ``/`` between its parts, whether :func:`files_of` would yield it: nothing hidden, and no text beside media."""
    *folders, name = path.split("/")
    return all(_seen(part) for part in (*folders, name)) and not _is_sidecar(name)


def _visible(file: Path, folder: Path) -> bool:
    return all(_seen(part) for part in file.relative_to(folder).parts)


def _seen(name: str) -> bool:
    return not name.startswith(".") and name.casefold() not in _DEBRIS


def _is_sidecar(name: str) -> bool:
    stem, suffix = os.path.splitext(name.casefold())  # noqa: PTH122
    return suffix in _SIDECARS or (suffix == "" and stem in _PAPERS)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
