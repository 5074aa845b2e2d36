"""The catalog: every file of ``data/raw`` becomes a media item, a row of the quarantine table, or the duplicate of an item."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import av
import pandas as pd
import PIL

from realframe.caching.item_cache import ItemCache
from realframe.config import Limits
from realframe.data import takedown_list
from realframe.data.file_hashes import HASHES, HashIndex, group_by_content, sha256_in
from realframe.data.labels import SAID, FileEntry
from realframe.data.layouts import read_layout
from realframe.data.manifest import MEDIA
from realframe.errors import DatasetError, MediaError, UnlabelledError
from realframe.files import source_digest, write_text
from realframe.media import encoding_facts, quarantine, signature, still_image, video_stream
from realframe.media import limits as limits_module
from realframe.media import probe as probing
from realframe.media.parallel import for_each
from realframe.media.probe import MediaFacts, probe


@dataclass(frozen=True)
class Catalog:
    """What the originals are: ``found`` = media + rejected + duplicates.

    Attributes:
        media: the rows of ``data/media.parquet``.
        rejected: the rows of the quarantine table.
        found: files of the originals, also those that a CSV names in vain.
        duplicates: files whose bytes stand under an earlier path.
        probed: items that had to be opened; the facts of the others were cached.
    """

    media: pd.DataFrame
    rejected: list[quarantine.Row]
    found: int
    duplicates: int
    probed: int

    def __str__(self) -> str:
        counts = sorted(Counter(self.media["label"] + " " + self.media["kind"] + "s").items())
        used = ", ".join(f"{count} {what}" for what, count in counts)
        parts = f"{len(self.media)} used ({used or 'none'}), {len(self.rejected)} quarantined, {self.duplicates} duplicates"
        return f"catalog: {self.found} files = {parts}; {self.probed} probed anew"


def build_catalog(raw_dir: Path, limits: Limits, cache_dir: Path, workers: int, barred: frozenset[str] = frozenset()) -> Catalog:
    """List the media items of ``raw_dir``.

    Args:
        raw_dir: the originals, in any layout that ``layouts.py`` reads; only read.
        limits: what one file may cost.
        cache_dir: keeps digests and facts, so that one new file among a thousand costs one probe.
        workers: processes that probe, threads that read.
        barred: ids of items that were taken down; they are rejected.

    Raises:
        LabelConflictError: the same bytes are labelled real and fake.
        DatasetError: there is no file at all, a CSV can't be read, or the same bytes are given to two splits.
    """
    entries = read_layout(raw_dir)
    if not entries:
        hint = "Take your files in with `realframe ingest FOLDER`, or render some with `realframe demo-data FOLDER` and take those in."
        raise DatasetError(raw_dir, "holds no files", hint)
    with HashIndex(cache_dir / HASHES) as hashes:
        contents = group_by_content(raw_dir, entries, hashes, workers)
    files = {entry.path: (sha256_in(content), entry) for content, entry in contents.items.items()}
    facts, probed = _facts(raw_dir, {path: sha256 for path, (sha256, _) in files.items()}, limits, cache_dir, workers)
    rejected = [quarantine.row(_printable(path), "", error) for path, error in contents.problems.items()]
    rows = []
    for path, (sha256, entry) in files.items():
        fact = facts[path] if entry.label or isinstance(facts[path], MediaError) else _unlabelled(path)
        fact = takedown_list.refusal(path) if sha256 in barred else fact
        if isinstance(fact, MediaError):
            rejected.append(quarantine.row(path, sha256, fact))
        else:
            rows.append(_row(sha256, entry, fact))
    media = pd.DataFrame(rows, columns=MEDIA.names).sort_values("media_id", ignore_index=True)
    return Catalog(media, rejected, len(entries), contents.duplicates, probed)


def _facts(
    raw_dir: Path, files: Mapping[str, str], limits: Limits, cache_dir: Path, workers: int
) -> tuple[dict[str, MediaFacts | MediaError], int]:
    """Return the facts of each path, or why it can't be used, and how many had to be opened; ``files`` is path -> SHA-256."""
    cache = ItemCache(cache_dir, "facts", _depends_on(limits))
    facts = {path: known for path, sha256 in files.items() if (known := _recall(cache.path(f"{sha256}.json")))}
    unknown = [path for path in files if path not in facts]
    answers = for_each(partial(_probe, raw_dir, limits), unknown, workers, limits.timeout_s, "catalog")
    for path, answer in zip(unknown, answers, strict=True):
        facts[path] = answer
        if isinstance(answer, MediaFacts):
            write_text(cache.path(f"{files[path]}.json"), json.dumps(asdict(answer)))
    return facts, len(unknown)


def _recall(kept: Path) -> MediaFacts | MediaError | None:
    return MediaFacts(**json.loads(kept.read_text())) if kept.exists() else None


def _probe(raw_dir: Path, limits: Limits, path: str) -> MediaFacts:
    return probe(raw_dir / path, limits)


def _depends_on(limits: Limits) -> dict[str, object]:
    code = source_digest(probing, signature, still_image, video_stream, limits_module, encoding_facts)
    return {"limits": limits.model_dump(), "code": code, "versions": [av.__version__, PIL.__version__]}


def _row(sha256: str, entry: FileEntry, facts: MediaFacts) -> dict[str, object]:
    said = {name: getattr(entry, name) for name in ("path", *SAID)}
    return {"media_id": sha256, **said, **asdict(facts)}


def _unlabelled(path: str) -> UnlabelledError:
    hint = "Put it into a folder real/ or fake/, or name it in a CSV with the columns file_path,label."
    return UnlabelledError(path, "is labelled neither real nor fake", hint)


def _printable(path: str) -> str:
    return path.encode(errors="replace").decode()
