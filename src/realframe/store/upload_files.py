"""Locate the uploaded files on disk, where the web process writes them and the workers read them, and remove the orphans among them.

Each upload has a folder ``<uploads>/<detection_id>`` with its file and, once it is scored, its sprites. A file that is still arriving is
in ``<uploads>/.incoming``.
"""

import shutil
import time
from pathlib import Path

from realframe.store.detection_documents import DetectionRecord
from realframe.store.repository import Store

MEDIA_NAME = "media"
"""The name of the uploaded file in the folder of its record."""
INCOMING_NAME = ".incoming"
"""The folder of files that are still arriving."""
_ORPHAN_AGE_S = 24 * 3600.0


def remove_orphans(store: Store, uploads_dir: Path) -> None:
    """Delete what a killed process left: files at least a day old that have no record."""
    if not uploads_dir.exists():
        return
    record_ids = store.find_keys(DetectionRecord)
    paths = [*uploads_dir.iterdir(), *(uploads_dir / INCOMING_NAME).glob("*")]
    for path in paths:
        if path.name not in record_ids and path.name != INCOMING_NAME and time.time() - path.stat().st_mtime > _ORPHAN_AGE_S:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
