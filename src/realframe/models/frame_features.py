"""How activations lie on disk: a record per frame, its largest magnitude as float32, then float16 shares of it.

The magnitude is kept apart because features of a network with random weights can be smaller than float16 knows.

The pooled features of every frame of a dataset, as ``extract_features`` leaves them in ``data/features``.

One file of records per media item and view, read one item at a time, so that memory does not grow with the dataset.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from realframe.errors import DatasetError
from realframe.files import atomic_path, link_or_copy, write_text

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


_FACTS = "features.json"
_MEANS = "means.parquet"


@dataclass(frozen=True)
class Features:
    """The features of one backbone.

    Attributes:
        folder: where they lie.
        backbone: its name.
        weights: ``name`` and ``sha256`` of its weights.
        size: side of the frames, pixels.
        width: of a frame's features.
        views: of each training frame; view 0 is the frame as it is. Val and test have view 0 only.
    """

    folder: Path
    backbone: str
    weights: dict[str, str]
    size: int
    width: int
    views: int

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read what :meth:`finish` wrote. Raises DatasetError."""
        file = folder / _FACTS
        if not file.exists():
            raise DatasetError(file, "is not there", "Run the pipeline up to extract_features: `realframe run train_model`.")
        return cls(folder=folder, **json.loads(file.read_text()))

    def take(self, media_id: str, view: int, cached: Path) -> None:
        """Put an item's file of records in its place; it shares the disk with the cache where it can."""
        link_or_copy(cached, self._file(media_id, view))

    def finish(self, media_ids: Iterable[str]) -> None:
        """Write the mean vector of each item and, last, what the features are."""
        rows = [{"media_id": media_id, "mean": self.of(media_id).mean(axis=0)} for media_id in sorted(media_ids)]
        with atomic_path(self.folder / _MEANS) as temporary:
            pd.DataFrame(rows).to_parquet(temporary, index=False)
        facts = {name: value for name, value in asdict(self).items() if name != "folder"}
        write_text(self.folder / _FACTS, json.dumps(facts, indent=1, sort_keys=True) + "\n")

    def of(self, media_id: str, view: int = 0) -> np.ndarray:
        """Return the features of an item's clean frames in a view, float32 (N, width)."""
        return read_all(self._file(media_id, view), self.width)

    def means(self, media_ids: Iterable[str]) -> np.ndarray:
        """Return the mean vector of each item over its frames as they are, float32 (items, width)."""
        table = pd.read_parquet(self.folder / _MEANS).set_index("media_id")["mean"]
        return np.stack(table.loc[list(media_ids)].to_list()).astype(np.float32)

    def of_frames(self, frames: pd.DataFrame) -> np.ndarray:
        """Return the features of a frame table's rows as they are, float32 (len(frames), width); it must hold whole items in order."""
        return np.concatenate([self.of(media_id) for media_id in frames["media_id"].drop_duplicates()])

    def _file(self, media_id: str, view: int) -> Path:
        return self.folder / f"view{view}" / f"{media_id}.f16"
