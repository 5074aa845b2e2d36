"""Finds the originals of media items by their ids: their bytes are what the id is the SHA-256 of.

What a version says of items that it has not been tested on: its own detector on the originals, computed once per item.

Two versions on the same locked test items, which neither was trained on.
"""

import json
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm import tqdm

from realframe import artifacts
from realframe.caching.item_cache import ItemCache
from realframe.errors import MetadataError
from realframe.files import sha256_of, write_bytes, write_text
from realframe.governance.evidence_files import SCORE, Documents
from realframe.registry.model_registry import ModelVersion
from realframe.settings import Settings, get_settings
from realframe.statistics.arrays import Bools
from realframe.statistics.hypothesis_tests import PairedScores
from realframe.store.run_artifacts import RevisionSource

Find = Callable[[str], Path | None]
"""From a media id to a file with those bytes, or None where it is lost."""


@contextmanager
def of_dataset(paths: Mapping[str, str], commit: str, settings: Settings) -> Iterator[Find]:
    """Look in the living folder of originals, and where it does not hold them any more, in the DVC cache as of a run's commit.

    Args:
        paths: media id -> path relative to the folder of originals.
        commit: of the run whose items they are.
        settings: of the checkout.
    """
    with tempfile.TemporaryDirectory() as folder:

        @cache
        def revision() -> RevisionSource | None:
            return _revision(settings.root, commit)

        def find(media_id: str) -> Path | None:
            living = settings.raw_dir / paths[media_id]
            if living.is_file() and sha256_of(living) == media_id:
                return living
            return _restored(revision(), artifacts.RAW / paths[media_id], Path(folder))

        yield find


def of_regression(settings: Settings) -> Find:
    """Look in the folder of items that were reported wrong: ``data/regression/<label>/<media id>.<ext>``."""
    folder = settings.root / artifacts.REGRESSION_MEDIA
    return lambda media_id: next(folder.glob(f"*/{media_id}.*"), None)


def _revision(root: Path, commit: str) -> RevisionSource | None:
    from dvc.exceptions import DvcException  # takes half a second to import

    try:
        return RevisionSource(root, commit)
    except DvcException:  # the commit of another clone, whose runs were not pushed to here
        return None


def _restored(revision: RevisionSource | None, path: Path, folder: Path) -> Path | None:
    try:
        data = revision.read(path) if revision else None
    except MetadataError:  # neither in the cache nor on the remote
        return None
    if data is None:
        return None
    write_bytes(folder / path.name, data)
    return folder / path.name


if TYPE_CHECKING:
    from realframe.detection.detector import Detector

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
        from realframe.detection.detector import Detector

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


_SEEN = ("train", "val")  # validation items chose the epoch, the threshold and the calibration
_RIVAL = "rival"


@dataclass(frozen=True)
class PairedPredictions:
    """The candidate's test items with the scores of both.

    Attributes:
        table: rows with ``media_id``, ``label``, ``cluster``, ``score`` (the candidate's) and ``rival`` (the other one's).
        thresholds: the candidate's and the other one's; a score at or above it is called fake.
        seen: how many test items are left out, as the other one, or their cluster, was in its training or validation.
        lost: how many are left out because the other one could not be asked about them.
    """

    table: pd.DataFrame
    thresholds: tuple[float, float]
    seen: int
    lost: int

    @property
    def fake(self) -> Bools:
        """The truth, (n,)."""
        return (self.table["label"] == "fake").to_numpy()

    @property
    def clusters(self) -> "pd.Series[str]":
        """The cluster of each item, (n,)."""
        return self.table["cluster"]

    @cached_property
    def candidate(self) -> PairedScores:
        """What the candidate says of them."""
        return PairedScores(self.table[SCORE].to_numpy(np.float64), self.thresholds[0])

    @cached_property
    def rival(self) -> PairedScores:
        """What the other one says of them."""
        return PairedScores(self.table[_RIVAL].to_numpy(np.float64), self.thresholds[1])


def pair_predictions(candidate: Documents, rival: ModelVersion) -> PairedPredictions:
    """Return both versions' scores of the candidate's test items.

    Where the other one was tested on the same locked split, its scores are in its evidence. Else its detector scores the originals; what
    it has seen in training is left out then.

    Raises:
        RegistryError: the evidence of one of them is missing or was changed.
    """
    items, other = candidate.test_items, Documents.of(rival)
    thresholds = (candidate.threshold, other.threshold)
    if rival.test_split and rival.test_split == candidate.version.test_split:
        scores = other.test_items.set_index("media_id")[SCORE]
        return PairedPredictions(items.assign(**{_RIVAL: items["media_id"].map(scores)}), thresholds, 0, 0)
    fresh = _unseen(items, other.splits)
    scored = fresh.assign(**{_RIVAL: fresh["media_id"].map(_rescored(fresh, candidate.version, rival))}).dropna(subset=[_RIVAL])
    return PairedPredictions(scored.reset_index(drop=True), thresholds, len(items) - len(fresh), len(fresh) - len(scored))


def _unseen(items: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Leave out each cluster of which the other version saw an item."""
    seen = splits.loc[splits["split"].isin(_SEEN), "media_id"]
    touched = items.loc[items["media_id"].isin(seen), "cluster"]
    return items[~items["cluster"].isin(touched)]


def _rescored(items: pd.DataFrame, candidate: ModelVersion, rival: ModelVersion) -> dict[str, float]:
    paths = dict(zip(items["media_id"], items["path"], strict=True))
    with of_dataset(paths, candidate.commit, get_settings()) as find:
        return scores(rival, paths, find)
