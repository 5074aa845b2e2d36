"""What a detector scores on degraded copies of some test items, beside the same frames as they are.

Robustness: what recompression, blur, scaling, cropping and noise cost, each beside the same items as they are.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd
from tqdm import tqdm

from realframe import artifacts
from realframe.config import Params
from realframe.data.balance import shuffle_key
from realframe.errors import MediaError
from realframe.evaluation import score_tables
from realframe.evaluation.degradations import OF_VIDEOS, Item, degraded
from realframe.evaluation.item_scores import Scorer
from realframe.evaluation.score_tables import Figures, Level
from realframe.media.parallel import for_each
from realframe.statistics.hypothesis_tests import PairedScores

_TOGETHER = 16  # items whose degraded frames are in memory at a time
_PROGRAMS = 3 * len(OF_VIDEOS) + 1  # run for one item at most, each within the limit: encode, harmonization and decode
_FACTS = ["media_id", "label", "kind", "cluster"]
_log = logging.getLogger(__name__)


def sample(splits: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Return at most ``count`` test items of each class, drawn by lot: which ones depends on the seed and their ids alone.

    Args:
        splits: the rows of ``splits.parquet``.
        count: of each class; all where there are fewer.
        seed: of the lots.
    """
    test = splits[splits["split"] == "test"]
    drawn = test.assign(lot=[shuffle_key(media_id, seed) for media_id in test["media_id"]]).sort_values("lot")
    return drawn.groupby("label").head(count).sort_values("media_id", ignore_index=True)


def score_degraded(scorer: Scorer, items: pd.DataFrame, params: Params, workers: int) -> pd.DataFrame:
    """Return the rows of ``reports/robustness.parquet``, of the columns of ``tables.ROBUSTNESS``: one per item and degradation.

    Args:
        scorer: the detector.
        items: of :func:`sample`; their files lie in the run's folder.
        params: the parameters.
        workers: processes that degrade.
    """
    rows = [row for some in _chunks(items.to_dict("records")) for row in _measured(scorer, some, params, workers)]
    return pd.DataFrame(rows, columns=score_tables.ROBUSTNESS.names)


def _chunks(items: list[dict]) -> Iterator[list[dict]]:
    starts = range(0, len(items), _TOGETHER)
    yield from (items[start : start + _TOGETHER] for start in tqdm(starts, "degraded", unit=f"{_TOGETHER} items"))


def _measured(scorer: Scorer, items: Sequence[dict], params: Params, workers: int) -> Iterator[dict]:
    files = [_files_of(item) for item in items]
    limit = _PROGRAMS * params.limits.timeout_s
    results = for_each(partial(degraded, params=params), files, workers, limit, "degrade", lambda item: item.media_id)
    for item, made in zip(items, results, strict=True):
        if isinstance(made, MediaError):
            _log.warning("%s is not measured: %s", item["path"], made)
            continue
        facts = {name: item[name] for name in _FACTS}
        for how, scored in zip(made, scorer.score_each(list(made.values())), strict=True):
            yield {**facts, "perturbation": how.name, "level": float(how.level), "score": scored.score}


def _files_of(item: dict) -> Item:
    shard = f"{item['media_id']}.tar"
    return Item(item["media_id"], artifacts.RAW / item["path"], artifacts.FRAMES / shard, artifacts.CLEAN / shard)


NONE = "none"
_SCORE, _AS_IS = "score", "as_is"
_FIGURES = ("roc_auc", "balanced_accuracy")


def robustness_figures(rows: pd.DataFrame | None, at: float, resamples: int, seed: int) -> Figures | None:
    """Return ``robustness`` as in ``metrics.json``; None where nothing was measured.

    ``none``: the items as they are. ``curves``: for each perturbation its levels in order, with ``roc_auc``, ``balanced_accuracy`` at the
    model's threshold, and ``drop`` and ``drop_balanced_accuracy``: by how much either is lower than on the same items as they are,
    paired. ``worst``: the largest drop of the ROC-AUC.

    Args:
        rows: of ``robustness.parquet``, or None.
        at: the model's threshold.
        resamples: of the intervals.
        seed: of the resamples.
    """
    if rows is None or rows.empty:
        return None
    plain = rows[rows["perturbation"] == NONE]
    as_is = plain.set_index("media_id")[_SCORE]
    degraded = rows[rows["perturbation"] != NONE].assign(**{_AS_IS: lambda table: table["media_id"].map(as_is)})
    curves: dict[str, list[Figures]] = {}
    for (perturbation, strength), part in degraded.groupby(["perturbation", "level"]):  # type: ignore[misc]
        point = _point(Level(part.reset_index(drop=True), resamples, seed), at)
        curves.setdefault(str(perturbation), []).append({"level": float(strength), **point})  # type: ignore[arg-type]
    return {NONE: _at(Level(plain.reset_index(drop=True), resamples, seed), at), "curves": curves, "worst": _worst(curves)}


def _at(level: Level, at: float) -> Figures:
    summary = level.figures(_SCORE, at)
    return {**level.counts, **{name: summary[name] for name in _FIGURES}, **level.too_few()}


def _point(level: Level, at: float) -> Figures:
    before, after = (PairedScores(level.scores(column), at) for column in (_AS_IS, _SCORE))
    drops = {"drop": level.less(before, after, "roc_auc"), "drop_balanced_accuracy": level.less(before, after, "balanced_accuracy")}
    return _at(level, at) | drops


def _worst(curves: dict[str, list[Figures]]) -> Figures | None:
    points = [{"perturbation": name, "level": point["level"], "drop": point["drop"]} for name, curve in curves.items() for point in curve]
    known = [point for point in points if point["drop"]["value"] is not None]
    return max(known, key=lambda point: point["drop"]["value"], default=None)
