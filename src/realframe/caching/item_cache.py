"""A content-addressed cache of what was computed for one media item, shared by all runs of a checkout.

A stage asks it before it computes, so that a new video in a folder of a thousand costs one video, also in a fresh worktree and
after a change of recipe and back. It may be deleted at any time.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from realframe.files import atomic_path, link_or_copy


class ItemCache:
    """One file per media item, in a folder named by everything that its bytes depend on.

    Args:
        root: the cache's folder, ``settings.cache_dir``.
        namespace: what is kept, such as ``frames``.
        depends_on: JSON-able facts; any change of them starts a new folder.
    """

    def __init__(self, root: Path, namespace: str, depends_on: object) -> None:
        facts = json.dumps(depends_on, sort_keys=True, default=str)
        self.folder = root / namespace / hashlib.sha256(facts.encode()).hexdigest()[:16]

    def path(self, name: str) -> Path:
        """Return where the item ``name`` lies or would lie."""
        return self.folder / name[:2] / name

    def place(self, name: str, target: Path, compute: Callable[[Path], None]) -> bool:
        """Put the item at ``target``, calling ``compute(path)`` only where it is not cached. Return True where it was."""
        kept = self.path(name)
        found = kept.exists()
        if not found:
            with atomic_path(kept) as temporary:
                compute(temporary)
        link_or_copy(kept, target)
        return found
