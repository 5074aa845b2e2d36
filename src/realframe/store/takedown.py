"""Take a media item down: find what used it, record the request, and delete its files from this checkout."""

import re
from dataclasses import dataclass
from pathlib import Path

from realframe import artifacts
from realframe.data import takedown_list
from realframe.data.file_hashes import HASH_INDEX_FILE, HashIndex
from realframe.errors import MetadataError
from realframe.files import compute_sha256
from realframe.settings import Settings
from realframe.store.document_base import Membership, format_current_time
from realframe.store.index_documents import Media
from realframe.store.lineage import MediaLineage, get_media_lineage
from realframe.store.predictions import delete_predictions
from realframe.store.repository import Store
from realframe.store.run_artifacts import RevisionSource
from realframe.store.user_documents import Feedback, RegressionItem, Takedown


@dataclass(frozen=True)
class AffectedVersions:
    """The dataset and model versions that used a media item.

    Attributes:
        media_id: SHA-256 of the item.
        lineage: the uses of the item; None if no run used it.
        related_paths: paths of the items in its cluster (same group, or near duplicates) in the newest dataset version that holds it.
    """

    media_id: str
    lineage: MediaLineage | None
    related_paths: tuple[str, ...]

    @property
    def datasets(self) -> tuple[Membership, ...]:
        """The dataset versions that hold the item."""
        return self.lineage.media.datasets if self.lineage else ()

    @property
    def models(self) -> tuple[int, ...]:
        """The model versions trained on these dataset versions."""
        return tuple(sorted({model.version for use in self.lineage.uses for model in use.models})) if self.lineage else ()


def list_taken_down_ids(store: Store) -> frozenset[str]:
    """Return the ids of all items that were taken down."""
    return frozenset(store.find_keys(Takedown))


def find_affected_versions(store: Store, root: Path, identifier: str) -> AffectedVersions:
    """Return the versions that a takedown of an item affects. Raises MetadataError if the identifier does not name exactly one item.

    Args:
        store: the index.
        root: the repository.
        identifier: a file, a media id, or its first hex digits if a run used the item.
    """
    file = Path(identifier).expanduser()
    media_id = compute_sha256(file) if file.is_file() else identifier.lower()
    if re.fullmatch("[0-9a-f]{64}", media_id) and store.get(Media, media_id) is None:
        return AffectedVersions(media_id, None, ())
    lineage = get_media_lineage(store, media_id)
    return AffectedVersions(lineage.media.media_id, lineage, _find_related_paths(root, lineage))


def record_takedown(store: Store, item: AffectedVersions, reason: str, requested_by: str) -> Takedown:
    """Record the request, durable when this returns; an item that was taken down before keeps its first record."""
    earlier = store.get(Takedown, item.media_id)
    if earlier:
        return earlier
    request = Takedown(
        media_id=item.media_id,
        reason=reason,
        requested_by=requested_by,
        created=format_current_time(),
        datasets=item.datasets,
        models=item.models,
    )
    store.insert(request)
    return request


def delete_item(store: Store, settings: Settings, media_id: str) -> list[Path]:
    """Delete the item's files from this checkout's folders, and its feedback and predictions; return the deleted files.

    The DVC cache, its remote and the caches of runs are left alone: see docs/loop.md. Call it after :func:`record_takedown`. If it is
    killed, call it again: it deletes what is left.
    """
    with HashIndex(settings.cache_dir / HASH_INDEX_FILE) as hashes:
        folders = (settings.raw_dir, settings.regression_dir, settings.feedback_dir)
        deleted = [file for folder in folders for file in takedown_list.delete_originals(folder, media_id, hashes, settings.workers)]
    store.delete(RegressionItem, [media_id])
    store.delete(Feedback, [feedback.key for feedback in store.find(Feedback, {"media_id": media_id})])
    delete_predictions(store, media_id)
    return deleted


def _find_related_paths(root: Path, lineage: MediaLineage) -> tuple[str, ...]:
    """Read the newest dataset version that holds the item; return nothing if its tables are lost."""
    tags = [tag for use in lineage.uses for tag in use.tags]
    if not tags:
        return ()
    newest = max(tags, key=lambda tag: int(tag.rpartition("/v")[2]))
    try:
        splits = RevisionSource(root, newest).read_table(artifacts.SPLITS)
    except MetadataError:
        return ()
    if splits is None:
        return ()
    media_id = lineage.media.media_id
    items = splits.set_index("media_id")
    related = items[items["cluster"] == items["cluster"].get(media_id)].drop(index=media_id, errors="ignore")
    return tuple(sorted(related["path"]))
