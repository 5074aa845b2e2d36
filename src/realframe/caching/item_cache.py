"""Cache computed files by content, one per media item, shared by all runs of a checkout.

A stage looks an item up before it computes it, so that one new video in a folder of a thousand costs the work of one video, also in
a fresh worktree and after switching to another recipe and back. The cache may be deleted at any time.

Each stage states what its cache key depends on, in ``_cache_key`` of its module in ``pipelines/`` (and of ``data/catalog.py``). The digest
of the code in a key comes from ``code_digest.py``.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from realframe.files import atomic_path, link_or_copy


class ItemCache:
    """One file per media item, in a folder whose name is a digest of everything that the file depends on.

    Args:
        root: the folder of all caches, ``settings.cache_dir``.
        namespace: the kind of file, such as ``frames``.
        depends_on: JSON-able facts; when one of them changes, a new folder is used.
    """

    def __init__(self, root: Path, namespace: str, depends_on: object) -> None:
        facts = json.dumps(depends_on, sort_keys=True, default=str)
        self.folder = root / namespace / hashlib.sha256(facts.encode()).hexdigest()[:16]

    def item_path(self, name: str) -> Path:
        """Return the path of the item ``name``, whether it is cached or not."""
        return self.folder / name[:2] / name

    def fetch_or_compute(self, name: str, target: Path, compute: Callable[[Path], None]) -> bool:
        """Put the item at ``target``; call ``compute(path)`` to create it if it is not cached. Return whether it was cached."""
        cached = self.item_path(name)
        is_cached = cached.exists()
        if not is_cached:
            with atomic_path(cached) as temporary:
                compute(temporary)
        link_or_copy(cached, target)
        return is_cached
