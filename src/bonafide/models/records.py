"""How activations lie on disk: a record per frame, its largest magnitude as float32, then float16 shares of it.

The magnitude is kept apart because features of a network with random weights can be smaller than float16 knows.
"""

import base64
from pathlib import Path

import numpy as np

_SCALE = 2  # float16 places of a float32


def pack(activations: np.ndarray) -> np.ndarray:
    """Return the records of float32 (N, ...), float16 (N, 2 + count)."""
    flat = activations.reshape(len(activations), -1)
    scale = np.maximum(np.abs(flat).max(axis=1, keepdims=True), np.finfo(np.float32).tiny).astype(np.float32)
    return np.concatenate([scale.view(np.float16), (flat / scale).astype(np.float16)], axis=1)


def as_text(vector: np.ndarray) -> str:
    """Return the record of one vector, float32 (width,), as base64, for a store of documents."""
    return base64.b64encode(pack(vector[None]).tobytes()).decode()


def from_text(text: str) -> np.ndarray:
    """Return the vector of :func:`as_text`, float32 (width,)."""
    return _unpacked(np.frombuffer(base64.b64decode(text), np.float16))


def read_one(path: Path, position: int, count: int) -> np.ndarray:
    """Return one record's activations, float32 (count,), by its offset: nothing else of the file is read."""
    return _unpacked(np.fromfile(path, np.float16, _SCALE + count, offset=2 * position * (_SCALE + count)))


def read_all(path: Path, count: int) -> np.ndarray:
    """Return the activations of all records of a file, float32 (N, count)."""
    whole = np.fromfile(path, np.float16).reshape(-1, _SCALE + count)
    return whole[:, _SCALE:] * np.ascontiguousarray(whole[:, :_SCALE]).view(np.float32)


def _unpacked(record: np.ndarray) -> np.ndarray:
    return record[_SCALE:] * record[:_SCALE].view(np.float32)
