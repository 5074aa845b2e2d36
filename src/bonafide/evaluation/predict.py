"""Scores of frames: the one place where a frame meets the model, for the pipeline and for serving."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from bonafide.dataset.batches import FrameReader

FACTS = ("media_id", "label", "kind", "generator", "source", "cluster", "split")


def score_batch(model: keras.Model, frames: NDArray[np.uint8], batch_size: int) -> NDArray[np.float64]:
    """Return the probability of ``fake`` of each frame.

    A batch is filled up with blank frames to the next power of two, so that the model meets few shapes and is traced few times.

    Args:
        model: takes float32 RGB in [0, 255].
        frames: uint8 RGB (n, size, size, 3), 1 <= n <= ``batch_size``.
        batch_size: frames per call.
    """
    filled = np.zeros((min(batch_size, 1 << (len(frames) - 1).bit_length()), *frames.shape[1:]), np.float32)
    filled[: len(frames)] = frames
    return np.asarray(model.predict_on_batch(filled), np.float64)[: len(frames), 0]


def score_frames(model: keras.Model, frames: pd.DataFrame, batch_size: int, workers: int) -> NDArray[np.float64]:
    """Return the scores of a table of frames, (len(frames),); a few batches of pixels are in memory at a time.

    Args:
        model: the detector.
        frames: rows of ``bonafide.dataset.batches.frame_table``.
        batch_size: frames per call of the model.
        workers: threads that decode.
    """
    reader = FrameReader(frames, workers, resident_bytes=0)
    batches = [np.arange(start, min(start + batch_size, len(frames))) for start in range(0, len(frames), batch_size)]
    return np.concatenate([score_batch(model, reader.read(rows), batch_size) for rows in tqdm(batches, "score", unit="batch")])


def prediction_table(frames: pd.DataFrame, splits: pd.DataFrame, scores: NDArray[np.float64], floor: NDArray[np.float64]) -> pd.DataFrame:
    """Return the rows of ``reports/predictions.parquet``, ordered by split, item and frame.

    Args:
        frames: the frames of val and test.
        splits: the rows of ``splits.parquet``.
        scores: the model's score of each frame.
        floor: the floor's score of each frame.
    """
    scored = frames[["media_id", "index"]].assign(score=scores, floor_score=floor)
    table = splits[list(FACTS)].merge(scored, on="media_id", validate="one_to_many")
    return table[[*FACTS, "index", "score", "floor_score"]].sort_values(["split", "media_id", "index"], ignore_index=True)


def load_model(path: Path) -> keras.Model:
    """Load a ``.keras`` file in safe mode: no code of the file's own runs."""
    return keras.models.load_model(path, compile=False, safe_mode=True)
