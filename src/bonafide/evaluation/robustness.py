"""What a detector scores on degraded copies of some test items, beside the same frames as they are."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd
from tqdm import tqdm

from bonafide import artefacts
from bonafide.dataset.balance import lot
from bonafide.errors import MediaError
from bonafide.evaluation import tables
from bonafide.evaluation.degraded import Item, degraded
from bonafide.evaluation.perturb import OF_VIDEOS
from bonafide.evaluation.scoring import Scorer
from bonafide.media.parallel import for_each
from bonafide.params import Params

_TOGETHER = 16  # items whose degraded frames are in memory at a time
_PROGRAMS = 3 * len(OF_VIDEOS) + 1  # run for one item at most, each within the limit: encode, cure and decode
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
    drawn = test.assign(lot=[lot(media_id, seed) for media_id in test["media_id"]]).sort_values("lot")
    return drawn.groupby("label").head(count).sort_values("media_id", ignore_index=True)


def measure(scorer: Scorer, items: pd.DataFrame, run: Params, workers: int) -> pd.DataFrame:
    """Return the rows of ``reports/robustness.parquet``, of the columns of ``tables.ROBUSTNESS``: one per item and degradation.

    Args:
        scorer: the detector.
        items: of :func:`sample`; their files lie in the run's folder.
        run: the parameters.
        workers: processes that degrade.
    """
    rows = [row for some in _chunks(items.to_dict("records")) for row in _measured(scorer, some, run, workers)]
    return pd.DataFrame(rows, columns=tables.ROBUSTNESS.names)


def _chunks(items: list[dict]) -> Iterator[list[dict]]:
    starts = range(0, len(items), _TOGETHER)
    yield from (items[start : start + _TOGETHER] for start in tqdm(starts, "degraded", unit=f"{_TOGETHER} items"))


def _measured(scorer: Scorer, items: Sequence[dict], run: Params, workers: int) -> Iterator[dict]:
    files = [_files_of(item) for item in items]
    limit = _PROGRAMS * run.limits.timeout_s
    results = for_each(partial(degraded, run=run), files, workers, limit, "degrade", lambda item: item.media_id)
    for item, made in zip(items, results, strict=True):
        if isinstance(made, MediaError):
            _log.warning("%s is not measured: %s", item["path"], made)
            continue
        facts = {name: item[name] for name in _FACTS}
        for how, scored in zip(made, scorer.score_each(list(made.values())), strict=True):
            yield {**facts, "perturbation": how.name, "level": float(how.level), "score": scored.score}


def _files_of(item: dict) -> Item:
    shard = f"{item['media_id']}.tar"
    return Item(item["media_id"], artefacts.RAW / item["path"], artefacts.FRAMES / shard, artefacts.CLEAN / shard)
