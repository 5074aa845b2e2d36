"""Score frames and clips with a detector, in batches. The pipeline and serving both use these functions.

The head of a clip detector reads the whole sequence of frames.
"""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from realframe.data.batches import FrameReader
from realframe.media.frame_sampling import sample_evenly
from realframe.models import detector_network, freezing, heads
from realframe.progress import ProgressCallback, no_progress

ITEM_COLUMNS = ("media_id", "label", "kind", "generator", "source", "cluster", "split")


def predict_in_batches(
    model: keras.Model, frames: NDArray[np.uint8], batch_size: int, on_progress: ProgressCallback = no_progress
) -> NDArray[np.float32]:
    """Return the outputs of a network for frames, (n, ...).

    Each batch is padded with black frames to the next power of two: the model sees few input shapes and is traced few times.

    Args:
        model: accepts float32 RGB in [0, 255].
        frames: uint8 RGB (n, size, size, 3), n at least 1.
        batch_size: frames per call.
        on_progress: called after each batch.
    """
    outputs = []
    for start in range(0, len(frames), batch_size):
        outputs.append(_predict_padded_batch(model, frames[start : start + batch_size], batch_size))
        on_progress("scoring", min(start + batch_size, len(frames)), len(frames))
    return np.concatenate(outputs)


def score_frames(model: keras.Model, frames: NDArray[np.uint8], batch_size: int) -> NDArray[np.float64]:
    """Return the probability of ``fake`` of each frame, (n,). The detector must score frames, not clips."""
    return predict_in_batches(model, frames, batch_size)[:, 0].astype(np.float64)


def score_frame_table(model: keras.Model, frames: pd.DataFrame, batch_size: int, workers: int) -> NDArray[np.float64]:
    """Return the scores of the frames of a table, (len(frames),). Only a few batches of pixels are in memory at a time.

    Args:
        model: the detector.
        frames: rows of ``realframe.data.batches.frame_table``.
        batch_size: frames per call of the model.
        workers: number of decoding threads.
    """
    reader = FrameReader(frames, workers, resident_bytes=0)
    batches = [np.arange(start, min(start + batch_size, len(frames))) for start in range(0, len(frames), batch_size)]
    return np.concatenate([score_frames(model, reader.read(rows), batch_size) for rows in tqdm(batches, "score", unit="batch")])


def build_prediction_table(scored: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Build the rows of ``reports/predictions.parquet``, ordered by split, item and frame.

    Args:
        scored: ``media_id``, ``index``, ``score``, ``baseline_score`` of each frame of val and test, or of each clip if the detector scores
            clips.
        splits: the rows of ``splits.parquet``.
    """
    table = splits[list(ITEM_COLUMNS)].merge(scored, on="media_id", validate="one_to_many")
    return table[[*ITEM_COLUMNS, "index", "score", "baseline_score"]].sort_values(["split", "media_id", "index"], ignore_index=True)


def load_model(path: Path) -> keras.Model:
    """Load a ``.keras`` file in safe mode: code inside the file is not executed."""
    return keras.models.load_model(path, compile=False, safe_mode=True)


def _predict_padded_batch(model: keras.Model, frames: NDArray[np.uint8], batch_size: int) -> NDArray[np.float32]:
    padded = np.zeros((min(batch_size, 1 << (len(frames) - 1).bit_length()), *frames.shape[1:]), np.float32)
    padded[: len(frames)] = frames
    return np.asarray(model.predict_on_batch(padded))[: len(frames)]


@dataclass(frozen=True)
class ClipScore:
    """The score of one clip.

    Attributes:
        score: probability of ``fake``, in [0, 1].
        positions: positions of the scored frames within the clip, int64 (T,).
        attention: weight of each scored frame, float32 (T,), sum 1; None if the head has no attention.
        features: mean of the pooled features of the scored frames, float32 (width,).
    """

    score: float
    positions: NDArray[np.int64]
    attention: NDArray[np.float32] | None
    features: NDArray[np.float32]

    @property
    def peak_position(self) -> int:
        """The position of the frame with the highest attention; without attention, of the middle frame."""
        index = len(self.positions) // 2 if self.attention is None else int(self.attention.argmax())
        return int(self.positions[index])


class ClipScorer:
    """Scores clips. The backbone runs in batches and the head once, so memory does not grow with the length of the clip.

    Args:
        model: (N, size, size, 3) -> (1, 1).
        length: frames that the head reads; a longer clip is sampled evenly, as in training.
        batch_size: frames per call of the backbone.
    """

    def __init__(self, model: keras.Model, length: int, batch_size: int) -> None:
        head = detector_network.get_clip_head(model)
        assert head is not None
        self._backbone, self._head = freezing.split_network(model, freezing.get_pooling_layer(model))[0], head
        self._attention = heads.get_attention_model(head)
        self._length, self._batch_size = length, batch_size

    def select_positions(self, count: int) -> NDArray[np.int64]:
        """Return the positions of the frames to score in a clip of ``count`` frames, int64 (T,)."""
        return np.array(sample_evenly(range(count), self._length), np.int64)

    def score(self, frames: NDArray[np.uint8], positions: NDArray[np.int64], on_progress: ProgressCallback = no_progress) -> ClipScore:
        """Score a clip.

        Args:
            frames: the frames at ``positions``, uint8 RGB (T, size, size, 3).
            positions: result of :meth:`select_positions`.
            on_progress: called after each batch of the backbone.
        """
        features = predict_in_batches(self._backbone, frames, self._batch_size, on_progress)
        padded = np.zeros((self._length, features.shape[1]), np.float32)
        padded[: len(features)] = features
        score = float(np.asarray(self._head.predict_on_batch(padded[None]))[0, 0])
        attention = None if self._attention is None else np.asarray(self._attention(padded[None]))[0, : len(features)]
        return ClipScore(score, positions, attention, features.mean(axis=0))


def score_clips(scorer: ClipScorer, frames: pd.DataFrame, workers: int) -> dict[str, ClipScore]:
    """Return the score of each item of a frame table, by ``media_id``. Only one clip is in memory at a time."""
    reader = FrameReader(frames, workers, resident_bytes=0)
    clips = frames.groupby("media_id", sort=False).indices
    scores = {}
    for media_id, rows in tqdm(clips.items(), "score", len(clips), unit="clip"):
        positions = scorer.select_positions(len(rows))
        scores[str(media_id)] = scorer.score(reader.read(np.asarray(rows)[positions]), positions)
    return scores


def build_clip_rows(scores: dict[str, ClipScore], frames: pd.DataFrame, baseline: NDArray[np.float64]) -> pd.DataFrame:
    """Build one row per clip: ``media_id``, ``index`` of the peak frame, ``score``, ``baseline_score`` (mean of its frames).

    Args:
        scores: by ``media_id``.
        frames: the scored frame table.
        baseline: the baseline's score of each row of ``frames``.
    """
    table = frames[["media_id", "index"]].assign(baseline_score=baseline)
    grouped = table.groupby("media_id", sort=False)
    rows = [
        {"media_id": media_id, "index": clip["index"].iloc[scores[str(media_id)].peak_position], "score": scores[str(media_id)].score}
        for media_id, clip in grouped
    ]
    return pd.DataFrame(rows).merge(grouped["baseline_score"].mean().reset_index(), on="media_id")
