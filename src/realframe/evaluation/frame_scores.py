"""Scores of frames: the one place where a frame meets the model, for the pipeline and for serving."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from realframe.data.batches import FrameReader

FACTS = ("media_id", "label", "kind", "generator", "source", "cluster", "split")

ProgressCallback = Callable[[int], None]
"""Is told of how many frames have been scored."""


def no_progress(count: int) -> None:
    """Tell nobody."""


def in_batches(model: keras.Model, frames: NDArray[np.uint8], batch_size: int, told: ProgressCallback = no_progress) -> NDArray[np.float32]:
    """Return what a network gives for frames, (n, ...).

    A batch is filled up with blank frames to the next power of two, so that the model meets few shapes and is traced few times.

    Args:
        model: takes float32 RGB in [0, 255].
        frames: uint8 RGB (n, size, size, 3), n at least 1.
        batch_size: frames per call.
        told: is told after each call.
    """
    given = []
    for at in range(0, len(frames), batch_size):
        given.append(_batch(model, frames[at : at + batch_size], batch_size))
        told(min(at + batch_size, len(frames)))
    return np.concatenate(given)


def score_frames_of(model: keras.Model, frames: NDArray[np.uint8], batch_size: int) -> NDArray[np.float64]:
    """Return the probability of ``fake`` of each frame, (n,), by a detector that scores frames."""
    return in_batches(model, frames, batch_size)[:, 0].astype(np.float64)


def score_frames(model: keras.Model, frames: pd.DataFrame, batch_size: int, workers: int) -> NDArray[np.float64]:
    """Return the scores of a table of frames, (len(frames),); a few batches of pixels are in memory at a time.

    Args:
        model: the detector.
        frames: rows of ``realframe.data.batches.frame_table``.
        batch_size: frames per call of the model.
        workers: threads that decode.
    """
    reader = FrameReader(frames, workers, resident_bytes=0)
    batches = [np.arange(start, min(start + batch_size, len(frames))) for start in range(0, len(frames), batch_size)]
    return np.concatenate([score_frames_of(model, reader.read(rows), batch_size) for rows in tqdm(batches, "score", unit="batch")])


def prediction_table(scored: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``reports/predictions.parquet``, ordered by split, item and frame.

    Args:
        scored: ``media_id``, ``index``, ``score``, ``baseline_score`` of the frames of val and test; of each clip where clips are scored.
        splits: the rows of ``splits.parquet``.
    """
    table = splits[list(FACTS)].merge(scored, on="media_id", validate="one_to_many")
    return table[[*FACTS, "index", "score", "baseline_score"]].sort_values(["split", "media_id", "index"], ignore_index=True)


def load_model(path: Path) -> keras.Model:
    """Load a ``.keras`` file in safe mode: no code of the file's own runs."""
    return keras.models.load_model(path, compile=False, safe_mode=True)


def _batch(model: keras.Model, frames: NDArray[np.uint8], batch_size: int) -> NDArray[np.float32]:
    filled = np.zeros((min(batch_size, 1 << (len(frames) - 1).bit_length()), *frames.shape[1:]), np.float32)
    filled[: len(frames)] = frames
    return np.asarray(model.predict_on_batch(filled))[: len(frames)]
