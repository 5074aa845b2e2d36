"""Store the features of frames on disk: pack activations into records, and read the pooled features in ``data/features``.

A record holds one frame: its largest magnitude as float32, then float16 shares of it. The magnitude is stored separately because features
of a network with random weights can be smaller than the smallest float16.

There is one file of records per media item and view, read one item at a time, so that memory does not grow with the dataset.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa

from realframe.errors import DatasetError
from realframe.files import link_or_copy, write_text
from realframe.tables import write_table

_SCALE_WIDTH = 2  # a float32 takes two float16 values
_INFO_FILE = "features.json"
MEANS_FILE = "means.parquet"
_MEANS_SCHEMA = pa.schema({"media_id": pa.string(), "mean": pa.list_(pa.float32())})


def pack_records(activations: np.ndarray) -> np.ndarray:
    """Return the records of float32 (N, ...), float16 (N, 2 + count)."""
    flat = activations.reshape(len(activations), -1)
    scale = np.maximum(np.abs(flat).max(axis=1, keepdims=True), np.finfo(np.float32).tiny).astype(np.float32)
    return np.concatenate([scale.view(np.float16), (flat / scale).astype(np.float16)], axis=1)


def encode_vector(vector: np.ndarray) -> str:
    """Return the record of one vector, float32 (width,), as base64, for a document store."""
    return base64.b64encode(pack_records(vector[None]).tobytes()).decode()


def decode_vector(text: str) -> np.ndarray:
    """Return the vector of :func:`encode_vector`, float32 (width,)."""
    return _unpack(np.frombuffer(base64.b64decode(text), np.float16))


def read_record(path: Path, position: int, count: int) -> np.ndarray:
    """Return the activations of one record, float32 (count,). Only this record is read."""
    return _unpack(np.fromfile(path, np.float16, _SCALE_WIDTH + count, offset=2 * position * (_SCALE_WIDTH + count)))


def read_records(path: Path, count: int) -> np.ndarray:
    """Return the activations of all records of a file, float32 (N, count)."""
    whole = np.fromfile(path, np.float16).reshape(-1, _SCALE_WIDTH + count)
    return whole[:, _SCALE_WIDTH:] * np.ascontiguousarray(whole[:, :_SCALE_WIDTH]).view(np.float32)


def _unpack(record: np.ndarray) -> np.ndarray:
    return record[_SCALE_WIDTH:] * record[:_SCALE_WIDTH].view(np.float32)


@dataclass(frozen=True)
class FrameFeatures:
    """The features of a dataset's frames by one backbone.

    Attributes:
        folder: the folder of the files.
        backbone: name of the backbone.
        weights: ``name`` and ``sha256`` of its weights.
        size: side of the frames, pixels.
        width: number of features of a frame.
        views: number of views of each training frame; view 0 is the unchanged frame. Val and test have view 0 only.
    """

    folder: Path
    backbone: str
    weights: dict[str, str]
    size: int
    width: int
    views: int

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the features whose :meth:`write_summary` was called. Raises DatasetError."""
        file = folder / _INFO_FILE
        if not file.exists():
            raise DatasetError(file, "does not exist", "Run the pipeline up to extract_features: `realframe run train_model`.")
        return cls(folder=folder, **json.loads(file.read_text()))

    def add_file(self, media_id: str, view: int, cached: Path) -> None:
        """Add the file of an item and view from the cache, as a hard link where possible."""
        link_or_copy(cached, self._file(media_id, view))

    def write_summary(self, media_ids: Iterable[str]) -> None:
        """Write the mean vector of each item and, last, the description that :meth:`open` reads."""
        rows = [{"media_id": media_id, "mean": self.load_item(media_id).mean(axis=0)} for media_id in sorted(media_ids)]
        write_table(rows, self.folder / MEANS_FILE, _MEANS_SCHEMA)
        facts = {name: value for name, value in asdict(self).items() if name != "folder"}
        write_text(self.folder / _INFO_FILE, json.dumps(facts, indent=1, sort_keys=True) + "\n")

    def load_item(self, media_id: str, view: int = 0) -> np.ndarray:
        """Return the features of an item's clean frames in a view, float32 (N, width)."""
        return read_records(self._file(media_id, view), self.width)

    def load_means(self, media_ids: Iterable[str]) -> np.ndarray:
        """Return the mean vector of each item over its unchanged frames, float32 (items, width)."""
        table = pd.read_parquet(self.folder / MEANS_FILE).set_index("media_id")["mean"]
        return np.stack(table.loc[list(media_ids)].to_list()).astype(np.float32)

    def load_frames(self, frames: pd.DataFrame) -> np.ndarray:
        """Return the features of a frame table's rows in view 0, float32 (len(frames), width). The table must hold whole items in order."""
        return np.concatenate([self.load_item(media_id) for media_id in frames["media_id"].drop_duplicates()])

    def _file(self, media_id: str, view: int) -> Path:
        return self.folder / f"view{view}" / f"{media_id}.f16"
