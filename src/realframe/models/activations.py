"""What the frozen layers of a network say of each view of each frame, computed once and kept on disk.

One file per clean shard and view, a record per frame (``models/frame_features.py``), in a folder named by all that its values depend on. A
second run and another recipe on the same backbone find them there. Readers take single frames by their offset, so that memory
does not grow with the dataset (not by a memory map per file: each would hold a file descriptor, and a dataset has more items than a
process may open).
The folder is kept under 20 GiB: the files that were not used for longest go first. All may be deleted while nothing is training.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from realframe.config import Augment
from realframe.data.batches import FrameReader
from realframe.errors import SetupError
from realframe.files import atomic_path, source_digest
from realframe.models import augment as augmentation
from realframe.models import frame_features
from realframe.models.detector_network import backbone_layers

_NAMESPACE = "activations"
_LIMIT_BYTES = 20 << 30  # of the whole cache of activations; the least recently used files go first
_IN_USE_S = 6 * 3600  # what was used so lately may belong to a run that goes on
_BATCH = 32
_GROUP_FRAMES = 64  # items are computed together until they have so many frames, so that photos too fill a batch


class ActivationCache:
    """The activations of some layers of one detector, as it is before any training.

    Args:
        detector: whose layers below the pooling (and the pooling itself) are looked at.
        layers: their names; they are computed in one pass.
        root: the folder of caches, ``settings.cache_dir``.
        augment: the changes of the views other than view 0.
        seed: of those changes.
        workers: threads that decode frames.
    """

    def __init__(self, detector: keras.Model, layers: Sequence[str], root: Path, augment: Augment, seed: int, workers: int) -> None:
        self._bottom = keras.Model(detector.input, [detector.get_layer(layer).output for layer in layers])
        self._layers = list(layers)
        self._shapes = {layer: tuple(detector.get_layer(layer).output.shape[1:]) for layer in layers}
        self._root = root / _NAMESPACE
        self._augment, self._seed, self._workers = augment, seed, workers
        self._facts: dict[str, object] = {
            "backbone": detector.name,
            "size": detector.input.shape[1],
            "weights": _digest_of(backbone_layers(detector)),
            "keras": keras.version(),
            "code": source_digest(augmentation),
        }
        self._folder = cache(self._folder_of)

    def fill(self, table: pd.DataFrame, views: int) -> int:
        """Compute what is missing of the first ``views`` views of the frames of ``table``; return how many frames and views that were.

        Raises:
            SetupError: the disk has too little room.
        """
        missing = [(view, rows) for view in range(views) for rows in _rows_per_item(table) if not self._complete(table, rows, view)]
        self._make_room(sum(len(rows) for _, rows in missing))
        reader = FrameReader(table, self._workers, resident_bytes=0)
        with tqdm(total=sum(len(rows) for _, rows in missing), desc="activations", unit="frame", disable=not missing) as bar:
            for view, items in _grouped(missing):
                self._compute(table, reader, view, items)
                bar.update(sum(map(len, items)))
        return sum(len(rows) for _, rows in missing)

    def gather(self, layer: str, table: pd.DataFrame, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        """Return the activations of ``layer`` for frames of ``table`` in the given views, float32 (len(rows), ...). They must be there."""
        shape = self._shapes[layer]
        count = int(np.prod(shape))
        digests, positions = table["digest"].to_numpy()[rows], table["position"].to_numpy()[rows]
        values = np.empty((len(rows), count), np.float32)
        for place, (digest, view, position) in enumerate(zip(digests, views.tolist(), positions.tolist(), strict=True)):
            values[place] = frame_features.read_one(self.file(layer, digest, view), position, count)
        return values.reshape(-1, *shape)

    def file(self, layer: str, digest: str, view: int) -> Path:
        """Return where the records of a clean shard's frames in a view lie once they are computed."""
        return self._folder(layer, view) / digest[:2] / digest

    def _folder_of(self, layer: str, view: int) -> Path:
        change = {"view": view, "seed": self._seed, **self._augment.model_dump()} if view else {"view": 0}
        facts = json.dumps({**self._facts, "layer": layer, **change}, sort_keys=True)
        return self._root / hashlib.sha256(facts.encode()).hexdigest()[:16]

    def _complete(self, table: pd.DataFrame, rows: np.ndarray, view: int) -> bool:
        paths = [self.file(layer, table["digest"].iloc[rows[0]], view) for layer in self._layers]
        if not all(path.exists() for path in paths):
            return False
        for path in paths:
            path.touch()
        return True

    def _compute(self, table: pd.DataFrame, reader: FrameReader, view: int, items: Sequence[np.ndarray]) -> None:
        rows = np.concatenate(items)
        parts = [self._forward(table, reader, rows[at : at + _BATCH], view) for at in range(0, len(rows), _BATCH)]
        ends = np.cumsum([len(item) for item in items])[:-1]
        for number, layer in enumerate(self._layers):
            values = np.concatenate([part[number] for part in parts])
            for item, activations in zip(items, np.split(values, ends), strict=True):
                with atomic_path(self.file(layer, table["digest"].iloc[item[0]], view)) as temporary:
                    activations.tofile(temporary)

    def _forward(self, table: pd.DataFrame, reader: FrameReader, rows: np.ndarray, view: int) -> list[np.ndarray]:
        views = np.full(len(rows), view)
        frames = augmentation.augment(reader.read(rows), table.iloc[rows], views, self._augment, self._seed)
        outputs = self._bottom.predict_on_batch(frames)
        listed = outputs if isinstance(outputs, list) else [outputs]
        return [frame_features.pack(output) for output in listed]

    def _make_room(self, frames: int) -> None:
        needed = 2 * frames * sum(int(np.prod(shape)) for shape in self._shapes.values())
        if not needed:
            return
        self._root.mkdir(parents=True, exist_ok=True)
        _trim(self._root, _LIMIT_BYTES - needed)
        free = shutil.disk_usage(self._root).free
        if needed > free:
            reason = f"the activations need {needed / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB"
            raise SetupError(self._root, reason, "Free some disk, lower train.activations.views, or set train.activations.cache to false.")


def _rows_per_item(table: pd.DataFrame) -> Iterator[np.ndarray]:
    numbers = np.arange(len(table))
    return (numbers[places] for places in table.groupby("digest", sort=False).indices.values())


def _grouped(missing: Sequence[tuple[int, np.ndarray]]) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Put items of one view together until they have enough frames."""
    group: list[np.ndarray] = []
    for number, (view, rows) in enumerate(missing):
        group.append(rows)
        last = number + 1 == len(missing) or missing[number + 1][0] != view
        if last or sum(map(len, group)) >= _GROUP_FRAMES:
            yield view, group
            group = []


def _trim(folder: Path, keep_bytes: int) -> None:
    """Remove the least recently used files until at most ``keep_bytes`` are left; what is in use stays."""
    files = sorted(((file.stat().st_mtime, file.stat().st_size, file) for file in folder.rglob("*") if file.is_file()), reverse=True)
    total = 0
    for used, size, file in files:
        total += size
        if total > keep_bytes and time.time() - used > _IN_USE_S:
            file.unlink(missing_ok=True)


def _digest_of(layers: Sequence[keras.layers.Layer]) -> str:
    """Name the graph and the weights; not what differs between two builds of it: names that Keras counts up, and what is frozen."""
    digest = hashlib.sha256()
    for layer in layers:
        config = {key: value for key, value in layer.get_config().items() if key not in ("name", "trainable")}
        digest.update(json.dumps([type(layer).__name__, config], sort_keys=True, default=str).encode())
        for array in layer.get_weights():
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
