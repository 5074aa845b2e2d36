"""Build the catalog of the originals: each file of ``data/raw`` is a media item, a quarantined file or a duplicate of an item."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import av
import pandas as pd
import PIL

from realframe.caching.code_digest import code_digest
from realframe.caching.item_cache import ItemCache
from realframe.config import Limits
from realframe.data import takedown_list
from realframe.data.file_hashes import HASH_INDEX_FILE, HashIndex, group_by_content, sha256_of_content
from realframe.data.labels import ENTRY_COLUMNS, FileEntry
from realframe.data.layouts import read_originals
from realframe.data.manifest import MEDIA_SCHEMA
from realframe.errors import DatasetError, MediaError, UnlabeledError
from realframe.files import write_text
from realframe.media import probe, quarantine
from realframe.media.probe import MediaFacts
from realframe.media.process_pool import process_items


@dataclass(frozen=True)
class Catalog:
    """The files of the originals: ``file_count`` = media + rejected + duplicates.

    Attributes:
        media: the rows of ``data/media.parquet``.
        rejected: the rows of the quarantine table.
        file_count: number of files, including those that a CSV names but that do not exist.
        duplicate_count: number of files whose bytes occur under an earlier path.
        probed_count: number of files that were opened; the facts of the others were cached.
    """

    media: pd.DataFrame
    rejected: list[quarantine.QuarantineRow]
    file_count: int
    duplicate_count: int
    probed_count: int

    def __str__(self) -> str:
        counts = sorted(Counter(self.media["label"] + " " + self.media["kind"] + "s").items())
        used = ", ".join(f"{count} {name}" for name, count in counts)
        parts = f"{len(self.media)} used ({used or 'none'}), {len(self.rejected)} quarantined, {self.duplicate_count} duplicates"
        return f"catalog: {self.file_count} files = {parts}; {self.probed_count} newly probed"


def build_catalog(raw_dir: Path, limits: Limits, cache_dir: Path, workers: int, taken_down_ids: frozenset[str] = frozenset()) -> Catalog:
    """List the media items of ``raw_dir``.

    Args:
        raw_dir: the originals, in any layout that ``layouts.py`` reads. Nothing is written there.
        limits: the largest size, duration, time and memory that one file may take.
        cache_dir: holds digests and facts, so that one new file among a thousand costs one probe.
        workers: number of processes that probe, and of threads that read.
        taken_down_ids: ids of items that were taken down; they are rejected.

    Raises:
        LabelConflictError: the same bytes are labeled real and fake, or folders and a CSV contradict each other.
        DatasetError: the folder holds no files, a CSV is not understood, or the same bytes are assigned to two splits.
    """
    entries = read_originals(raw_dir)
    if not entries:
        hint = "Add your files with `realframe ingest FOLDER`, or render examples with `realframe demo-data FOLDER` and ingest that folder."
        raise DatasetError(raw_dir, "holds no files", hint)
    with HashIndex(cache_dir / HASH_INDEX_FILE) as hashes:
        contents = group_by_content(raw_dir, entries, hashes, workers)
    files = {entry.path: (sha256_of_content(content), entry) for content, entry in contents.items.items()}
    facts, probed = _probe_files(raw_dir, {path: sha256 for path, (sha256, _) in files.items()}, limits, cache_dir, workers)
    rejected = [quarantine.make_row(_printable_path(path), "", error) for path, error in contents.problems.items()]
    rows = []
    for path, (sha256, entry) in files.items():
        result = facts[path] if entry.label or isinstance(facts[path], MediaError) else _unlabeled_error(path)
        result = takedown_list.make_taken_down_error(path, sha256) if sha256 in taken_down_ids else result
        if isinstance(result, MediaError):
            rejected.append(quarantine.make_row(path, sha256, result))
        else:
            rows.append(_media_row(sha256, entry, result))
    media = pd.DataFrame(rows, columns=MEDIA_SCHEMA.names).sort_values("media_id", ignore_index=True)
    return Catalog(media, rejected, len(entries), contents.duplicates, probed)


def _probe_files(
    raw_dir: Path, files: Mapping[str, str], limits: Limits, cache_dir: Path, workers: int
) -> tuple[dict[str, MediaFacts | MediaError], int]:
    """Return the facts of each path, or why it cannot be used, and how many files were opened; ``files`` is path -> SHA-256."""
    cache = ItemCache(cache_dir, "facts", _cache_key(limits))
    facts: dict[str, MediaFacts | MediaError] = {}
    for path, sha256 in files.items():
        if cached := cache.read(f"{sha256}.json"):
            facts[path] = MediaFacts(**json.loads(cached))
    unknown = [path for path in files if path not in facts]
    results = process_items(partial(_probe, raw_dir, limits), unknown, workers, limits.timeout_s, "catalog")
    for path, result in zip(unknown, results, strict=True):
        facts[path] = result
        if isinstance(result, MediaFacts):
            write_text(cache.item_path(f"{files[path]}.json"), json.dumps(asdict(result)))
    return facts, len(unknown)


def _probe(raw_dir: Path, limits: Limits, path: str) -> MediaFacts:
    return probe.probe_media(raw_dir / path, limits)


def _cache_key(limits: Limits) -> dict[str, object]:
    return {"limits": limits.model_dump(), "code": code_digest(probe.__name__), "versions": [av.__version__, PIL.__version__]}


def _media_row(sha256: str, entry: FileEntry, facts: MediaFacts) -> dict[str, object]:
    known = {name: getattr(entry, name) for name in ("path", *ENTRY_COLUMNS)}
    return {"media_id": sha256, **known, **asdict(facts)}


def _unlabeled_error(path: str) -> UnlabeledError:
    hint = "Move it into a folder real/ or fake/, or list it in a CSV with the columns file_path,label."
    return UnlabeledError(path, "is labeled neither real nor fake", hint)


def _printable_path(path: str) -> str:
    return path.encode(errors="replace").decode()
