"""Score perturbed copies of some test items, and measure how much each perturbation lowers the metrics of the detector."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
from tqdm import tqdm

from realframe import artifacts
from realframe.config import Params
from realframe.data.balance import shuffle_key
from realframe.errors import MediaError
from realframe.evaluation import scored_rows
from realframe.evaluation.perturbations import UNCHANGED, VIDEO_PERTURBATIONS, ItemFiles, perturb_item
from realframe.evaluation.scored_rows import Figures, ScoredRows
from realframe.media.process_pool import process_items
from realframe.statistics.hypothesis_tests import ModelScores

if TYPE_CHECKING:
    from realframe.evaluation.item_scores import ItemScorer  # imports TensorFlow

_BATCH_ITEMS = 16  # items whose perturbed frames are in memory at a time
_MAX_PROGRAMS = 3 * len(VIDEO_PERTURBATIONS) + 1  # per item, each within limits.timeout_s: encode, harmonize, decode
_ITEM_COLUMNS = ["media_id", "label", "kind", "cluster"]
_SCORE, _UNCHANGED_SCORE = "score", "unchanged_score"
_METRICS = ("roc_auc", "balanced_accuracy")
_log = logging.getLogger(__name__)


def sample_test_items(splits: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Sample at most ``count`` test items of each class. The choice depends on the seed and the ids of the items only.

    Args:
        splits: the rows of ``splits.parquet``.
        count: items per class; if there are fewer, all are returned.
        seed: seed of the sample.
    """
    test = splits[splits["split"] == "test"]
    shuffled = test.assign(shuffle_key=[shuffle_key(media_id, seed) for media_id in test["media_id"]]).sort_values("shuffle_key")
    return shuffled.groupby("label").head(count).sort_values("media_id", ignore_index=True)


def score_perturbed(scorer: "ItemScorer", items: pd.DataFrame, params: Params, workers: int) -> pd.DataFrame:
    """Return the rows of ``reports/robustness.parquet``, one per item and perturbation.

    Args:
        scorer: the detector.
        items: result of :func:`sample_test_items`; their files are in the folder of the run.
        params: the parameters.
        workers: number of processes that perturb items.
    """
    rows = [row for batch in _iter_batches(items.to_dict("records")) for row in _score_batch(scorer, batch, params, workers)]
    return pd.DataFrame(rows, columns=scored_rows.ROBUSTNESS.names)


def _iter_batches(items: list[dict]) -> Iterator[list[dict]]:
    starts = range(0, len(items), _BATCH_ITEMS)
    yield from (items[start : start + _BATCH_ITEMS] for start in tqdm(starts, "perturb", unit=f"{_BATCH_ITEMS} items"))


def _score_batch(scorer: "ItemScorer", items: Sequence[dict], params: Params, workers: int) -> Iterator[dict]:
    files = [_item_files(item) for item in items]
    limit = _MAX_PROGRAMS * params.limits.timeout_s
    results = process_items(partial(perturb_item, params=params), files, workers, limit, "perturb", lambda item: item.media_id)
    for item, squares in zip(items, results, strict=True):
        if isinstance(squares, MediaError):
            _log.warning("%s: skipped in the robustness test: %s", item["path"], squares)
            continue
        facts = {name: item[name] for name in _ITEM_COLUMNS}
        for perturbation, scored in zip(squares, scorer.score_many(list(squares.values())), strict=True):
            yield {**facts, "perturbation": perturbation.name, "level": float(perturbation.level), "score": scored.score}


def _item_files(item: dict) -> ItemFiles:
    shard = f"{item['media_id']}.tar"
    return ItemFiles(item["media_id"], artifacts.RAW_MEDIA / item["path"], artifacts.FRAMES / shard, artifacts.CLEAN_FRAMES / shard)


def compute_robustness_figures(rows: pd.DataFrame | None, threshold: float, resamples: int, seed: int) -> Figures | None:
    """Compute ``robustness`` of ``metrics.json``; None if nothing was measured.

    ``none``: the unchanged items. ``curves``: for each perturbation its levels in order, with ``roc_auc``, ``balanced_accuracy`` at the
    threshold of the detector, and ``drop`` and ``drop_balanced_accuracy``: by how much each is lower than on the same items unchanged,
    paired. ``worst``: the largest drop of the ROC-AUC.

    Args:
        rows: the rows of ``robustness.parquet``, or None.
        threshold: the threshold of the detector.
        resamples: number of bootstrap resamples of an interval.
        seed: seed of the resamples.
    """
    if rows is None or rows.empty:
        return None
    unchanged = rows[rows["perturbation"] == UNCHANGED.name]
    unchanged_scores = unchanged.set_index("media_id")[_SCORE]
    perturbed = rows[rows["perturbation"] != UNCHANGED.name]
    perturbed = perturbed.assign(**{_UNCHANGED_SCORE: perturbed["media_id"].map(unchanged_scores)})
    curves: dict[str, list[Figures]] = {}
    for (perturbation, strength), part in perturbed.groupby(["perturbation", "level"]):  # type: ignore[misc]
        point = _curve_point(ScoredRows(part.reset_index(drop=True), resamples, seed), threshold)
        curves.setdefault(str(perturbation), []).append({"level": float(strength), **point})  # type: ignore[arg-type]
    return {
        UNCHANGED.name: _row_figures(ScoredRows(unchanged.reset_index(drop=True), resamples, seed), threshold),
        "curves": curves,
        "worst": _find_worst(curves),
    }


def _row_figures(rows: ScoredRows, threshold: float) -> Figures:
    metrics = rows.compute_metrics(_SCORE, threshold)
    return {**rows.class_counts, **{name: metrics[name] for name in _METRICS}, **rows.missing_interval_note()}


def _curve_point(rows: ScoredRows, threshold: float) -> Figures:
    before, after = (ModelScores(rows.scores(column), threshold) for column in (_UNCHANGED_SCORE, _SCORE))
    drops = {
        "drop": rows.metric_difference(before, after, "roc_auc"),
        "drop_balanced_accuracy": rows.metric_difference(before, after, "balanced_accuracy"),
    }
    return _row_figures(rows, threshold) | drops


def _find_worst(curves: dict[str, list[Figures]]) -> Figures | None:
    points = [{"perturbation": name, "level": point["level"], "drop": point["drop"]} for name, curve in curves.items() for point in curve]
    known = [point for point in points if point["drop"]["value"] is not None]
    return max(known, key=lambda point: point["drop"]["value"], default=None)
