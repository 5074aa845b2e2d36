"""Score media items: from the clean frames of an item to its score, for detectors of frames and of clips.

A detector of frames needs an aggregate, which turns frame scores into the score of the item. It is chosen on the validation split only.
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
from realframe.evaluation.network_scores import ClipScorer, predict_in_batches
from realframe.models import freezing
from realframe.models.aggregate import Aggregate, aggregate_by_item, aggregate_scores
from realframe.progress import ProgressCallback, no_progress

AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
"""The candidates of ``evaluate.aggregate: auto``. Among equally good ones the first wins."""
ItemFrames = NDArray[np.uint8]
"""The clean frames of one item in order of time, uint8 RGB (N, size, size, 3), N at least 1."""
_BATCH_FRAMES = 64  # frames that are read and scored together; a longer item makes a batch of its own


def choose_aggregate(val: pd.DataFrame, column: str = "score") -> Aggregate:
    """Return the aggregate with the highest ROC-AUC on the validation items.

    Ties go to the first of mean, median, top_k, confident: with one frame per item the result is ``mean``. If a class is missing, nothing
    can be ranked, and the result is ``mean``. With few validation items, the best of four may be best by chance.

    Args:
        val: the frames of the validation split, with ``media_id``, ``label`` and the score. Other columns are ignored.
        column: the score column, probabilities of ``fake`` in [0, 1].

    Raises:
        DatasetError: the column ``split`` exists and contains another split than ``val``.
    """
    _check_only_val(val)
    if val["label"].nunique() < 2:
        return AGGREGATES[0]
    frames = val[["media_id", "label", column]]
    return max(AGGREGATES, key=lambda aggregate: _roc_auc_under(frames, aggregate, column))  # max returns the first of equals


def _roc_auc_under(frames: pd.DataFrame, aggregate: Aggregate, column: str) -> float:
    items = aggregate_by_item(frames, aggregate, [column])
    return round(float(roc_auc_score(items["label"] == "fake", items[column])), 12)  # rounding errors must not break ties


def _check_only_val(val: pd.DataFrame) -> None:
    others = sorted(set(val["split"]) - {"val"}) if "split" in val else []
    if others:
        reason = f"the aggregate must be chosen on val, but the table contains frames of the split {', '.join(others)}"
        raise DatasetError("predictions", reason, "Pass the frames of val only.")


@dataclass(frozen=True)
class ItemScore:
    """The score of one item.

    Attributes:
        positions: positions of the scored frames within the item, int64 (T,), ascending.
        frame_scores: score of each frame, in [0, 1], float64 (N,); None if the detector scores clips.
        attention: weight of each scored frame, float32 (T,), sum 1; None if the detector has no attention.
        score: score of the item, in [0, 1], not calibrated.
        features: mean of the pooled features of the scored frames, float32 (width,).
    """

    positions: NDArray[np.int64]
    frame_scores: NDArray[np.float64] | None
    attention: NDArray[np.float32] | None
    score: float
    features: NDArray[np.float32]


class ItemScorer:
    """Scores items with a detector.

    Args:
        model: maps float32 RGB frames (N, size, size, 3) in [0, 255] to the probability of ``fake`` per frame or per clip.
        params: the parameters of its training.
        aggregate: turns frame scores into the score of the item. A detector of clips ignores it.
    """

    def __init__(self, model: keras.Model, params: Params, aggregate: Aggregate) -> None:
        head, self._batch_size = params.train.head, params.train.batch_size
        self._aggregate = aggregate
        self._clip_scorer = ClipScorer(model, head.length, self._batch_size) if head.scores_clips else None
        self._frame_network = None if head.scores_clips else _build_frame_network(model)

    @property
    def scores_clips(self) -> bool:
        """Whether the detector scores clips, and therefore videos only."""
        return self._clip_scorer is not None

    def count_scored_frames(self, count: int) -> int:
        """Return how many frames are scored in an item of ``count`` frames."""
        return len(self._clip_scorer.select_positions(count)) if self._clip_scorer else count

    def score(self, frames: ItemFrames, on_progress: ProgressCallback = no_progress) -> ItemScore:
        """Return the score of one item; ``on_progress`` is called after each batch."""
        return self.score_many([frames], on_progress)[0]

    def score_many(self, items: Sequence[ItemFrames], on_progress: ProgressCallback = no_progress) -> list[ItemScore]:
        """Return the score of each item. A detector of frames scores the frames of all items in shared batches."""
        if self._clip_scorer:
            return [self._score_clip(self._clip_scorer, frames, on_progress) for frames in items]
        outputs = predict_in_batches(self._frame_network, np.concatenate(items), self._batch_size, on_progress)
        ends = np.cumsum([len(frames) for frames in items])[:-1]
        return [self._combine_frames(rows) for rows in np.split(outputs, ends)]

    def _combine_frames(self, rows: NDArray[np.float32]) -> ItemScore:
        scores = rows[:, -1].astype(np.float64)
        return ItemScore(np.arange(len(scores)), scores, None, aggregate_scores(scores, self._aggregate), rows[:, :-1].mean(axis=0))

    def _score_clip(self, clips: ClipScorer, frames: ItemFrames, on_progress: ProgressCallback) -> ItemScore:
        positions = clips.select_positions(len(frames))
        clip = clips.score(frames[positions], positions, on_progress)
        return ItemScore(positions, None, clip.attention, clip.score, clip.features)


def _build_frame_network(model: keras.Model) -> keras.Model:
    """Return a network whose output holds the pooled features and, in the last column, the score: (N, width + 1)."""
    pooled = freezing.get_pooling_layer(model).output
    return keras.Model(model.input, layers.Concatenate()([pooled, model.output]))


def create_scorer(model: keras.Model, params: Params, val: pd.DataFrame, workers: int) -> ItemScorer:
    """Create the scorer of a run. With ``evaluate.aggregate: auto`` the aggregate is chosen on the validation items.

    Args:
        model: the detector.
        params: the parameters of its training.
        val: the frame table of the validation items. Its frames are scored only if the aggregate has to be chosen.
        workers: number of decoding threads.
    """
    if params.evaluate.aggregate != "auto":
        return ItemScorer(model, params, params.evaluate.aggregate)
    scorer = ItemScorer(model, params, AGGREGATES[0])
    if scorer.scores_clips:
        return scorer
    scores = {media_id: scored.frame_scores for media_id, scored in iter_item_scores(scorer, val, workers)}
    rows = val[["media_id"]].assign(
        label=np.where(val["label"] == 1, "fake", "real"),
        score=np.concatenate([scores[media_id] for media_id in val["media_id"].unique()]),
    )
    return ItemScorer(model, params, choose_aggregate(rows))


def iter_item_scores(scorer: ItemScorer, frames: pd.DataFrame, workers: int) -> Iterator[tuple[str, ItemScore]]:
    """Yield the ``media_id`` and the score of each item of a frame table. Only a few items are in memory at a time.

    Args:
        scorer: the detector.
        frames: rows of ``realframe.data.batches.frame_table``.
        workers: number of decoding threads.
    """
    reader = FrameReader(frames, workers, resident_bytes=0)
    with tqdm(total=frames["media_id"].nunique(), desc="score", unit="item") as bar:
        for batch in _group_items(frames):
            yield from zip(batch, scorer.score_many([reader.read(rows) for rows in batch.values()]), strict=True)
            bar.update(len(batch))


def _group_items(frames: pd.DataFrame) -> Iterator[dict[str, NDArray[np.int64]]]:
    batch: dict[str, NDArray[np.int64]] = {}
    for media_id, rows in frames.groupby("media_id", sort=False).indices.items():
        if batch and sum(map(len, batch.values())) + len(rows) > _BATCH_FRAMES:
            yield batch
            batch = {}
        batch[str(media_id)] = np.asarray(rows)
    if batch:
        yield batch
