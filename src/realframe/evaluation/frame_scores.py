"""Score frames with a detector, in batches. The pipeline and serving both use these functions."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from realframe.data.batches import FrameReader
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
