"""Cache computed files by content, one per media item, shared by all runs of a checkout.

A stage looks an item up before it computes it, so that one new video in a folder of a thousand costs the work of one video, also in
a fresh worktree and after switching to another recipe and back. The cache may be deleted at any time.

Each stage states what its cache key depends on, in ``_cache_key`` of its module in ``pipelines/`` (and of ``data/catalog.py``). The digest
of the code in a key comes from ``code_digest.py``; ``eviction.py`` keeps the caches below their size limit.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

from realframe.caching.eviction import record_added, record_use
from realframe.files import atomic_path, link_or_copy

_log = logging.getLogger(__name__)


class ItemCache:
    """One file per media item, in a folder whose name is a digest of everything that the file depends on.

    Args:
        root: the folder of all caches, ``settings.cache_dir``.
        namespace: the kind of file, such as ``frames``.
        depends_on: JSON-able facts; when one of them changes, a new folder is used.
        limit_bytes: size limit of all caches, ``settings.cache_limit_bytes``; None where this cache does not trim them.
    """

    def __init__(self, root: Path, namespace: str, depends_on: object, limit_bytes: int | None = None) -> None:
        facts = json.dumps(depends_on, sort_keys=True, default=str)
        self.folder = root / namespace / hashlib.sha256(facts.encode()).hexdigest()[:16]
        self._root, self._limit_bytes = root, limit_bytes

    def item_path(self, name: str) -> Path:
        """Return the path of the item ``name``, whether it is cached or not; another process may delete it at any time."""
        return self.folder / name[:2] / name

    def read(self, name: str) -> bytes | None:
        """Return the content of the item ``name``; None if it is not cached."""
        try:
            content = self.item_path(name).read_bytes()
        except FileNotFoundError:
            return None
        record_use(self.item_path(name))
        return content

    def record_added(self, name: str) -> None:
        """Count the item ``name``, which was written to its path, and trim the caches where they are above the limit."""
        if self._limit_bytes is not None:
            record_added(self.item_path(name), self._root, self._limit_bytes)

    def fetch_or_compute(self, name: str, target: Path, compute: Callable[[Path], object]) -> bool:
        """Put the item at ``target``; call ``compute(path)`` to create it if it is not cached. Return whether it was cached."""
        cached = self.item_path(name)
        try:
            link_or_copy(cached, target)
        except FileNotFoundError:
            # the target is written first: the cached file may be deleted by another process as soon as it exists
            with atomic_path(target) as temporary:
                compute(temporary)
            try:
                link_or_copy(target, cached)
                self.record_added(name)
            except OSError as error:  # such as a full disk: the item is there, and the next run computes it again
                _log.warning("an item is not cached for the next run: %s", error)
            return False
        record_use(cached)
        return True
