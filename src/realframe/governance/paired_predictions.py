"""Pair two versions' scores of the same locked test items, which neither version was trained on.

Where the champion was tested on another split, its detector scores the candidate's items; each score is computed once and cached. The
original files are found by media id, which is the SHA-256 of the file: a folder of originals changes with every ingest, so a file counts
only if its content has that digest.
"""

import json
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm import tqdm

from realframe import artifacts
from realframe.caching.code_digest import code_digest
from realframe.caching.item_cache import ItemCache
from realframe.errors import MetadataError
from realframe.files import compute_sha256, write_bytes, write_text
from realframe.governance.evidence_files import SCORE, EvidenceFiles
from realframe.progress import ProgressCallback, no_progress
from realframe.registry.model_registry import ModelVersion
from realframe.settings import Settings, get_settings
from realframe.statistics.arrays import Bools
from realframe.statistics.hypothesis_tests import ModelScores
from realframe.store.run_artifacts import RevisionSource

if TYPE_CHECKING:
    from realframe.detection.detector import Detector

log = logging.getLogger(__name__)
FindOriginal = Callable[[str], Path | None]
"""Maps a media id to a file with that content, or to None if there is none."""
CHAMPION_SCORE = "champion_score"
_SCORING_CODE = "realframe.detection.detector"  # the module that computes the scores; its import takes seconds
_SEEN_SPLITS = ("train", "val")  # validation items chose the epoch, the threshold and the calibration


def _load_detector(version: int) -> "Detector":
    from realframe.detection.detector import Detector  # imports TensorFlow

    return Detector.load(str(version))


@dataclass(frozen=True)
class VersionScorer:
    """Scores items by registered versions.

    Attributes:
        load_detector: returns the detector of a version.
        on_progress: called before each item that has no cached score. It may raise, which ends the computation; the next one starts with
            the item that was not scored.
    """

    load_detector: Callable[[int], "Detector"] = _load_detector
    on_progress: ProgressCallback = no_progress


DEFAULT_SCORER = VersionScorer()


@contextmanager
def dataset_originals(paths: Mapping[str, str], commit: str, settings: Settings) -> Iterator[FindOriginal]:
    """Yield a function that finds the originals of a dataset: in ``data/raw``, else in the DVC cache at a run's commit.

    Args:
        paths: media id -> path relative to ``data/raw``.
        commit: of the run whose items they are.
        settings: of the checkout.
    """
    with tempfile.TemporaryDirectory() as folder:

        @cache
        def revision() -> RevisionSource | None:
            return _open_revision(settings.root, commit)

        def find_original(media_id: str) -> Path | None:
            current = settings.raw_dir / paths[media_id]
            if current.is_file() and compute_sha256(current) == media_id:
                return current
            return _restore(revision(), artifacts.RAW_MEDIA / paths[media_id], Path(folder))

        yield find_original


def regression_originals(settings: Settings) -> FindOriginal:
    """Return a function that finds the originals of the regression set by their content, whatever their names."""

    @cache
    def paths_by_digest() -> dict[str, Path]:
        return {compute_sha256(path): path for path in sorted(settings.regression_dir.rglob("*")) if path.is_file()}

    return lambda media_id: paths_by_digest().get(media_id)


def _open_revision(root: Path, commit: str) -> RevisionSource | None:
    from dvc.exceptions import DvcException  # takes half a second to import

    try:
        return RevisionSource(root, commit)
    except DvcException:  # the commit of another clone whose runs were not pushed
        return None


def _restore(revision: RevisionSource | None, path: Path, folder: Path) -> Path | None:
    try:
        data = revision.read(path) if revision else None
    except MetadataError:  # neither in the cache nor on the remote
        return None
    if data is None:
        return None
    write_bytes(folder / path.name, data)
    return folder / path.name


@dataclass(frozen=True)
class PairedPredictions:
    """The candidate's test items with the scores of both versions.

    Attributes:
        table: rows with ``media_id``, ``label``, ``cluster``, ``score`` (the candidate's) and ``champion_score``.
        thresholds: the candidate's and the champion's; a score at or above it is called fake.
        seen_in_training: number of test items left out because their cluster was in the champion's training or validation.
        missing: number of test items left out because the champion could not score them.
    """

    table: pd.DataFrame
    thresholds: tuple[float, float]
    seen_in_training: int
    missing: int

    @property
    def fake(self) -> Bools:
        """Whether each item is fake, (n,)."""
        return (self.table["label"] == "fake").to_numpy()

    @property
    def clusters(self) -> "pd.Series[str]":
        """The cluster of each item, (n,)."""
        return self.table["cluster"]

    @cached_property
    def candidate(self) -> ModelScores:
        """The candidate's scores and threshold."""
        return ModelScores(self.table[SCORE].to_numpy(np.float64), self.thresholds[0])

    @cached_property
    def champion(self) -> ModelScores:
        """The champion's scores and threshold."""
        return ModelScores(self.table[CHAMPION_SCORE].to_numpy(np.float64), self.thresholds[1])


def pair_predictions(candidate: EvidenceFiles, champion: ModelVersion, scorer: VersionScorer = DEFAULT_SCORER) -> PairedPredictions:
    """Return both versions' scores of the candidate's test items.

    If the champion was tested on the same split, its scores come from its evidence. Otherwise its detector scores the originals, and
    clusters that it saw in training or validation are left out.

    Raises:
        RegistryError: the evidence of one version is missing or was changed.
    """
    items, other = candidate.test_items, EvidenceFiles.fetch(champion)
    thresholds = (candidate.threshold, other.threshold)
    if champion.test_split and champion.test_split == candidate.version.test_split:
        scores = other.test_items.set_index("media_id")[SCORE]
        return PairedPredictions(items.assign(**{CHAMPION_SCORE: items["media_id"].map(scores)}), thresholds, 0, 0)
    unseen = _drop_seen_clusters(items, other.splits)
    paths = dict(zip(unseen["media_id"], unseen["path"], strict=True))
    with dataset_originals(paths, candidate.version.commit, get_settings()) as find_original:
        champion_scores = score_items(champion, paths, find_original, scorer)
    scored = unseen.assign(**{CHAMPION_SCORE: unseen["media_id"].map(champion_scores)}).dropna(subset=[CHAMPION_SCORE])
    return PairedPredictions(scored.reset_index(drop=True), thresholds, len(items) - len(unseen), len(unseen) - len(scored))


def score_items(
    version: ModelVersion, media_ids: Iterable[str], find_original: FindOriginal, scorer: VersionScorer = DEFAULT_SCORER
) -> dict[str, float]:
    """Return the network score that a version gives to each item; items that are missing or unusable are left out.

    Args:
        version: whose detector scores.
        media_ids: SHA-256 of each item's original.
        find_original: finds the file of a media id.
        scorer: loads the detector, and is told of the progress.

    Raises:
        RegistryError: the version's file is not the one that was registered.
    """
    item_cache = ItemCache(get_settings().cache_dir, "rescored", [version.sha256, version.answer_digest, code_digest(_SCORING_CODE)])
    requested = list(media_ids)
    scores = {media_id: json.loads(cached) for media_id in requested if (cached := item_cache.read(media_id))}
    if unscored := [media_id for media_id in requested if media_id not in scores]:
        scores |= _compute_scores(version, unscored, find_original, item_cache, scorer)
    return {media_id: score for media_id, score in scores.items() if score is not None}


def _compute_scores(
    version: ModelVersion, media_ids: list[str], find_original: FindOriginal, item_cache: ItemCache, scorer: VersionScorer
) -> dict[str, float | None]:
    """Return the score of each item whose original is found, None where it is unusable, and store them in the cache."""
    scores: dict[str, float | None] = {}

    @cache
    def detector() -> "Detector":
        return scorer.load_detector(version.version)

    step = f"scoring new items by version {version.version}"
    for done, media_id in enumerate(tqdm(media_ids, step, unit="item", disable=None)):
        scorer.on_progress(step, done, len(media_ids))
        path = find_original(media_id)
        if path is None:
            log.warning("%s: the original is neither in its folder nor in the DVC cache", media_id[:12])
            continue
        detection = detector().detect(path).detection
        if detection.score is None:
            log.warning("%s", detection.message)
        scores[media_id] = detection.score
        write_text(item_cache.item_path(media_id), json.dumps(detection.score))
    return scores


def _drop_seen_clusters(items: pd.DataFrame, champion_splits: pd.DataFrame) -> pd.DataFrame:
    """Drop each cluster that has an item which the champion saw in training or validation."""
    seen_ids = champion_splits.loc[champion_splits["split"].isin(_SEEN_SPLITS), "media_id"]
    seen_clusters = items.loc[items["media_id"].isin(seen_ids), "cluster"]
    return items[~items["cluster"].isin(seen_clusters)]
