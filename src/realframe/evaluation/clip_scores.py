"""Scores of clips, by a detector whose head looks at the whole sequence: the one place for the pipeline and for serving."""

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from realframe.data.batches import FrameReader
from realframe.evaluation.frame_scores import ProgressCallback, in_batches, no_progress
from realframe.media.frame_sampling import evenly
from realframe.models import detector_network, freezing, heads


@dataclass(frozen=True)
class ClipScore:
    """What a clip's frames come to.

    Attributes:
        score: its probability of ``fake``, in [0, 1].
        positions: of the frames that were looked at among those given, int64 (T,).
        attention: how much each of them weighs, float32 (T,), of sum 1; None where the head has no attention.
        features: the mean of their pooled features, float32 (width,).
    """

    score: float
    positions: NDArray[np.int64]
    attention: NDArray[np.float32] | None
    features: NDArray[np.float32]

    @property
    def telling(self) -> int:
        """The position of the frame that weighs most; without attention, of the middle one."""
        at = len(self.positions) // 2 if self.attention is None else int(self.attention.argmax())
        return int(self.positions[at])


class ClipScorer:
    """A detector that scores clips, taken apart: the backbone works in batches, so that memory does not grow with the clip.

    Args:
        model: (N, size, size, 3) -> (1, 1).
        length: frames that the head looks at; a longer clip is thinned evenly, as in training.
        batch_size: frames per call of the backbone.
    """

    def __init__(self, model: keras.Model, length: int, batch_size: int) -> None:
        head = detector_network.clip_head(model)
        assert head is not None
        self._backbone, self._head = freezing.split(model, freezing.pooling(model))[0], head
        self._attention = heads.attention_model(head)
        self._length, self._batch_size = length, batch_size

    def chosen(self, count: int) -> NDArray[np.int64]:
        """Return the positions of the frames that are looked at in a clip of ``count`` frames."""
        return np.array(evenly(range(count), self._length), np.int64)

    def score(self, frames: NDArray[np.uint8], positions: NDArray[np.int64], told: ProgressCallback = no_progress) -> ClipScore:
        """Score a clip.

        Args:
            frames: the frames at ``positions``, uint8 RGB (T, size, size, 3).
            positions: what :meth:`chosen` returned.
            told: is told how many frames have gone through the backbone.
        """
        features = in_batches(self._backbone, frames, self._batch_size, told)
        padded = np.zeros((self._length, features.shape[1]), np.float32)
        padded[: len(features)] = features
        score = float(np.asarray(self._head.predict_on_batch(padded[None]))[0, 0])
        attention = None if self._attention is None else np.asarray(self._attention(padded[None]))[0, : len(features)]
        return ClipScore(score, positions, attention, features.mean(axis=0))


def score_clips(scorer: ClipScorer, frames: pd.DataFrame, workers: int) -> dict[str, ClipScore]:
    """Return the score of each item of a frame table, by ``media_id``; one clip is in memory at a time."""
    reader = FrameReader(frames, workers, resident_bytes=0)
    clips = frames.groupby("media_id", sort=False).indices
    scores = {}
    for media_id, places in tqdm(clips.items(), "score", len(clips), unit="clip"):
        positions = scorer.chosen(len(places))
        scores[str(media_id)] = scorer.score(reader.read(np.asarray(places)[positions]), positions)
    return scores


def clip_rows(scores: dict[str, ClipScore], frames: pd.DataFrame, baseline: NDArray[np.float64]) -> pd.DataFrame:
    """Return one row per clip: ``media_id``, ``index`` of the frame that weighs most, ``score``, ``baseline_score`` (its frames' mean).

    Args:
        scores: by ``media_id``.
        frames: the frame table that was scored.
        baseline: the baseline's score of each of its rows.
    """
    table = frames[["media_id", "index"]].assign(baseline_score=baseline)
    grouped = table.groupby("media_id", sort=False)
    rows = [
        {"media_id": media_id, "index": clip["index"].iloc[scores[str(media_id)].telling], "score": scores[str(media_id)].score}
        for media_id, clip in grouped
    ]
    return pd.DataFrame(rows).merge(grouped["baseline_score"].mean().reset_index(), on="media_id")
