"""What a version says of items that it has not been tested on: its own detector on the originals, computed once per item."""

import json
import logging
from collections.abc import Iterable
from functools import cache as once
from typing import TYPE_CHECKING

from tqdm import tqdm

from bonafide.cache import ItemCache
from bonafide.files import write_text
from bonafide.review.originals import Find
from bonafide.settings import get_settings
from bonafide.tracking.registry import ModelVersion

if TYPE_CHECKING:
    from bonafide.detection.detector import Detector

log = logging.getLogger(__name__)


def scores(version: ModelVersion, media_ids: Iterable[str], original: Find) -> dict[str, float]:
    """Return the score that a version gives to each item, as its network gives it; items that are lost or unusable are left out.

    Args:
        version: whose detector scores.
        media_ids: SHA-256 of each item's original.
        original: finds the file.

    Raises:
        RegistryError: the version's file is not the one that was registered.
    """
    cache = ItemCache(get_settings().cache_dir, "rescored", version.sha256)
    wanted = list(media_ids)
    if missing := [media_id for media_id in wanted if not cache.path(media_id).exists()]:
        _score(version, missing, original, cache)
    said = {media_id: json.loads(path.read_text()) for media_id in wanted if (path := cache.path(media_id)).exists()}
    return {media_id: score for media_id, score in said.items() if score is not None}


def _score(version: ModelVersion, media_ids: list[str], original: Find, cache: ItemCache) -> None:
    @once
    def detector() -> "Detector":
        from bonafide.detection.detector import Detector  # TensorFlow

        return Detector.load(str(version.version))

    for media_id in tqdm(media_ids, f"version {version.version} on items that it was not tested on", unit="item", disable=None):
        path = original(media_id)
        if path is None:
            log.warning("%s: its original is neither in its folder nor in the DVC cache", media_id[:12])
            continue
        detection = detector().detect(path).detection
        if detection.score is None:
            log.warning("%s", detection.message)
        write_text(cache.path(media_id), json.dumps(detection.score))
