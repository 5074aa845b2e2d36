"""A request to use a media item no longer: what it has touched, the record of it, and its files out of this checkout's folders."""

import re
from dataclasses import dataclass
from pathlib import Path

from realframe import artifacts
from realframe.data import takedown_list
from realframe.data.file_hashes import HASHES, HashIndex
from realframe.errors import MetadataError
from realframe.files import sha256_of
from realframe.settings import Settings
from realframe.store import lineage
from realframe.store.document_base import Membership, now
from realframe.store.documents import Media
from realframe.store.lineage import MediaLineage
from realframe.store.repository import Store
from realframe.store.run_artifacts import RevisionSource
from realframe.store.user_documents import Feedback, Prediction, RegressionItem, Takedown


@dataclass(frozen=True)
class AffectedBy:
    """What a media item has touched.

    Attributes:
        media_id: the item.
        known: what the index says of it; None where no run has seen it.
        relatives: paths of the items that the newest dataset version with it keeps beside it: of one group, or near duplicates.
    """

    media_id: str
    known: MediaLineage | None
    relatives: tuple[str, ...]

    @property
    def datasets(self) -> tuple[Membership, ...]:
        """The dataset versions that hold it."""
        return self.known.media.datasets if self.known else ()

    @property
    def models(self) -> tuple[int, ...]:
        """The model versions that came from them."""
        return tuple(sorted({model.version for sighting in self.known.seen for model in sighting.models})) if self.known else ()


def taken_down_ids(store: Store) -> frozenset[str]:
    """Return the ids of all items that were taken down."""
    return frozenset(store.keys(Takedown))


def affected_by(store: Store, root: Path, asked: str) -> AffectedBy:
    """Return what an item has touched. Raises MetadataError where it can't be told which item is meant.

    Args:
        store: the index.
        root: the repository.
        asked: a file, a media id, or its first hex digits where a run has seen the item.
    """
    file = Path(asked).expanduser()
    whole = sha256_of(file) if file.is_file() else asked.lower()
    if re.fullmatch("[0-9a-f]{64}", whole) and store.get(Media, whole) is None:
        return AffectedBy(whole, None, ())
    known = lineage.of_media(store, whole)
    return AffectedBy(known.media.media_id, known, _relatives(root, known))


def record(store: Store, item: AffectedBy, reason: str, by: str) -> Takedown:
    """Write the request, safe on disk when this returns; an item that was taken down before keeps its first record."""
    first = store.get(Takedown, item.media_id)
    if first:
        return first
    request = Takedown(
        media_id=item.media_id,
        reason=reason,
        requested_by=by,
        at=now(),
        datasets=item.datasets,
        models=item.models,
    )
    store.insert(request)
    return request


def delete_files(store: Store, settings: Settings, media_id: str) -> list[Path]:
    """Delete the item's files from this checkout's folders and what people and the detector said of it; return the files.

    The DVC cache, its remote and the run's caches are left alone: see docs/loop.md. Call it after :func:`record`; what a kill leaves
    undone, the next call does.
    """
    with HashIndex(settings.cache_dir / HASHES) as hashes:
        folders = (settings.raw_dir, settings.regression_dir, settings.feedback_dir)
        gone = [file for folder in folders for file in takedown_list.remove(folder, media_id, hashes, settings.workers)]
    store.delete(RegressionItem, [media_id])
    store.delete(Feedback, [said.key for said in store.find(Feedback, {"media_id": media_id})])
    store.delete(Prediction, [said.key for said in store.find(Prediction, {"sha256": media_id})])
    return gone


def _relatives(root: Path, known: MediaLineage) -> tuple[str, ...]:
    """Read the newest dataset version that holds the item; where its tables are lost, nothing is known."""
    tags = [tag for sighting in known.seen for tag in sighting.tags]
    if not tags:
        return ()
    newest = max(tags, key=lambda tag: int(tag.rpartition("/v")[2]))
    try:
        splits = RevisionSource(root, newest).table(artifacts.SPLITS)
    except MetadataError:
        return ()
    if splits is None:
        return ()
    items = splits.set_index("media_id")
    beside = items[items["cluster"] == items["cluster"].get(known.media.media_id)].drop(index=known.media.media_id, errors="ignore")
    return tuple(sorted(beside["path"]))
