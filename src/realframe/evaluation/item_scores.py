"""How frame scores become the score of an item, chosen on the validation split and on nothing else.

From the clean frames of a media item to its score, whichever head: the one place for serving and for all that scores whole items.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import keras
import numpy as np
import pandas as pd
from keras import layers
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from realframe.config import Params
from realframe.data.batches import FrameReader
from realframe.errors import DatasetError
from realframe.evaluation.clip_scores import ClipScorer
from realframe.evaluation.frame_scores import ProgressCallback, in_batches, no_progress
from realframe.models import freezing
from realframe.models.aggregate import Aggregate, item_score, item_table

RULES: tuple[Aggregate, ...] = get_args(Aggregate)
"""The candidates; of equally good ones the earlier wins."""


def choose_aggregate(val: pd.DataFrame, column: str = "score") -> Aggregate:
    """Return the rule under which the validation items have the highest ROC-AUC.

    Ties go to the earlier of mean, median, top_k, confident, so that it is ``mean`` where each item has but one frame. Where a class is
    missing there is nothing to rank, and it is ``mean``. It is the best of four on these items: on few of them the best may be luck.

    Args:
        val: the frames of the validation split: rows with ``media_id``, ``label`` and the score; facts besides them are not read.
        column: the score column, probabilities of ``fake`` in [0, 1].

    Raises:
        DatasetError: there is a column ``split``, and it names another split than ``val``.
    """
    _refuse_other_splits(val)
    if val["label"].nunique() < 2:
        return RULES[0]
    frames = val[["media_id", "label", column]]
    return max(RULES, key=lambda how: _ranked_by(frames, how, column))  # the first of equals


def _ranked_by(frames: pd.DataFrame, how: Aggregate, column: str) -> float:
    items = item_table(frames, how, [column])
    return round(float(roc_auc_score(items["label"] == "fake", items[column])), 12)  # rounding errors of the area break no tie


def _refuse_other_splits(val: pd.DataFrame) -> None:
    others = sorted(set(val["split"]) - {"val"}) if "split" in val else []
    if others:
        reason = f"frames of the split {', '.join(others)} are among those that the aggregate is chosen on"
        raise DatasetError("predictions", reason, "Choose it on the frames of val alone.")


_TOGETHER = 64  # frames of items that are read and scored together; a longer item is alone

Pictures = NDArray[np.uint8]
"""The clean frames of one item, uint8 RGB (N, size, size, 3), N at least 1, in the order of time."""


@dataclass(frozen=True)
class ItemScore:
    """What a detector makes of one item.

    Attributes:
        positions: which of its frames the detector looked at, int64 (T,), rising.
        frames: the score of each frame, in [0, 1], float64 (N,); None where the detector scores the clip as a whole.
        attention: how much each of the frames at ``positions`` weighs, float32 (T,), of sum 1; None where the detector has no attention.
        score: the item's, in [0, 1], as the network gives it, not calibrated.
        features: the mean, over the frames that were looked at, of what the network's pooling gives, float32 (width,).
    """

    positions: NDArray[np.int64]
    frames: NDArray[np.float64] | None
    attention: NDArray[np.float32] | None
    score: float
    features: NDArray[np.float32]


class Scorer:
    """A detector with its rule for items.

    Args:
        model: takes float32 RGB frames (N, size, size, 3) in [0, 255], gives the probability of ``fake`` per frame or per clip.
        run: the parameters with which it was trained.
        aggregate: how the scores of frames become that of an item; a detector of clips does not use it.
    """

    def __init__(self, model: keras.Model, params: Params, aggregate: Aggregate) -> None:
        head, self._batch_size = params.train.head, params.train.batch_size
        self._aggregate = aggregate
        self._clips = ClipScorer(model, head.length, self._batch_size) if head.sequential else None
        self._both = None if head.sequential else _features_and_score(model)

    @property
    def sequential(self) -> bool:
        """It scores clips, so videos only."""
        return self._clips is not None

    def looked_at(self, count: int) -> int:
        """Return at how many frames it looks where there are so many."""
        return len(self._clips.chosen(count)) if self._clips else count

    def score(self, pictures: Pictures, told: ProgressCallback = no_progress) -> ItemScore:
        """Return what the detector makes of one item; ``told`` is told of how many of its frames it has looked at."""
        return self.score_each([pictures], told)[0]

    def score_each(self, items: Sequence[Pictures], told: ProgressCallback = no_progress) -> list[ItemScore]:
        """Return what the detector makes of each of several items; where it scores frames, theirs share the batches."""
        if self._clips:
            return [self._clip(self._clips, pictures, told) for pictures in items]
        given = in_batches(self._both, np.concatenate(items), self._batch_size, told)
        ends = np.cumsum([len(pictures) for pictures in items])[:-1]
        return [self._of_frames(rows) for rows in np.split(given, ends)]

    def _of_frames(self, rows: NDArray[np.float32]) -> ItemScore:
        scores = rows[:, -1].astype(np.float64)
        return ItemScore(np.arange(len(scores)), scores, None, item_score(scores, self._aggregate), rows[:, :-1].mean(axis=0))

    def _clip(self, clips: ClipScorer, pictures: Pictures, told: ProgressCallback) -> ItemScore:
        positions = clips.chosen(len(pictures))
        clip = clips.score(pictures[positions], positions, told)
        return ItemScore(positions, None, clip.attention, clip.score, clip.features)


def _features_and_score(model: keras.Model) -> keras.Model:
    """Return the network that gives the pooled features and, as the last column, the score: (N, width + 1), in one pass."""
    pooled = freezing.pooling(model).output
    return keras.Model(model.input, layers.Concatenate()([pooled, model.output]))


def open_scorer(model: keras.Model, params: Params, val: pd.DataFrame, workers: int) -> Scorer:
    """Return a detector with its run's rule for items; where that is to be chosen, it is chosen on the validation items, as ever.

    Args:
        model: the detector.
        params: the parameters with which it was trained.
        val: the frame table of the validation items; its frames are scored where the rule is to be chosen.
        workers: threads that decode.
    """
    if params.evaluate.aggregate != "auto":
        return Scorer(model, params, params.evaluate.aggregate)
    scorer = Scorer(model, params, RULES[0])
    if scorer.sequential:
        return scorer
    scores = {media_id: scored.frames for media_id, scored in score_table(scorer, val, workers)}
    rows = val[["media_id"]].assign(label=np.where(val["label"] == 1, "fake", "real"))
    return Scorer(
        model, params, choose_aggregate(rows.assign(score=np.concatenate([scores[media_id] for media_id in rows["media_id"].unique()])))
    )


def score_table(scorer: Scorer, frames: pd.DataFrame, workers: int) -> Iterator[tuple[str, ItemScore]]:
    """Yield the ``media_id`` of each item of a frame table with what the detector makes of it; a few items are in memory at a time.

    Args:
        scorer: the detector.
        frames: rows of ``realframe.data.batches.frame_table``.
        workers: threads that decode.
    """
    reader = FrameReader(frames, workers, resident_bytes=0)
    with tqdm(total=frames["media_id"].nunique(), desc="score", unit="item") as bar:
        for some in _together(frames):
            yield from zip(some, scorer.score_each([reader.read(rows) for rows in some.values()]), strict=True)
            bar.update(len(some))


def _together(frames: pd.DataFrame) -> Iterator[dict[str, NDArray[np.int64]]]:
    some: dict[str, NDArray[np.int64]] = {}
    for media_id, rows in frames.groupby("media_id", sort=False).indices.items():
        if some and sum(map(len, some.values())) + len(rows) > _TOGETHER:
            yield some
            some = {}
        some[str(media_id)] = np.asarray(rows)
    yield some
