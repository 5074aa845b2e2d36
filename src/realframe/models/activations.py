"""Cache the activations of frozen layers, for each view of each frame, on disk.

There is one file per clean shard and view, with one record per frame (``models/frame_features.py``), in a folder named by a digest of
everything that its values depend on. A second run, and another recipe on the same backbone, find them there. Single frames are read by
their offset, so that memory does not grow with the dataset. A memory map per file would hold a file descriptor for each item, and a
dataset has more items than a process may open.

``caching/eviction.py`` keeps all caches below one size limit. The files that a training reads stay until it ends; the others may be deleted
at any time.
"""

import hashlib
import json
import os
import shutil
import weakref
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from realframe.caching.code_digest import code_digest
from realframe.caching.eviction import hold_entries, record_use, trim_caches
from realframe.config import AugmentParams
from realframe.data.batches import FrameReader
from realframe.errors import SetupError
from realframe.files import atomic_path
from realframe.models import augment as augmentation
from realframe.models import frame_features
from realframe.models.freezing import get_backbone_layers

_NAMESPACE = "activations"
_BATCH = 32
_GROUP_FRAMES = 64  # items are grouped until they have so many frames, so that photos fill a batch too


class ActivationCache:
    """The activations of some layers of one untrained detector.

    Args:
        detector: the untrained detector.
        layers: names of its layers up to and including the pooling; they are computed in one pass.
        root: the folder of caches, ``settings.cache_dir``.
        limit_bytes: their size limit, ``settings.cache_limit_bytes``.
        augment: the augmentation of the views other than view 0.
        seed: seed of the augmentation.
        workers: number of threads that decode frames.
    """

    def __init__(
        self,
        detector: keras.Model,
        layers: Sequence[str],
        root: Path,
        limit_bytes: int,
        augment: AugmentParams,
        seed: int,
        workers: int,
    ) -> None:
        self._bottom = keras.Model(detector.input, [detector.get_layer(layer).output for layer in layers])
        self._layers = list(layers)
        self._shapes = {layer: tuple(detector.get_layer(layer).output.shape[1:]) for layer in layers}
        self._root, self._limit_bytes = root, limit_bytes
        self._augment, self._seed, self._workers = augment, seed, workers
        self._facts: dict[str, object] = {
            "backbone": detector.name,
            "size": detector.input.shape[1],
            "weights": _digest_layers(get_backbone_layers(detector)),
            "keras": keras.version(),
            "code": code_digest(__name__),
        }
        self._folder = cache(self._open_folder)

    def fill(self, table: pd.DataFrame, views: int) -> int:
        """Compute the missing activations of the first ``views`` views of the frames of ``table``; return their number, frames x views.

        Raises:
            SetupError: the disk is too full.
        """
        missing = [(view, rows) for view in range(views) for rows in _rows_per_item(table) if not self._is_cached(table, rows, view)]
        self._check_free_space(sum(len(rows) for _, rows in missing))
        reader = FrameReader(table, self._workers, resident_bytes=0)
        with tqdm(total=sum(len(rows) for _, rows in missing), desc="activations", unit="frame", disable=not missing) as bar:
            for view, items in _group_items(missing):
                self._compute(table, reader, view, items)
                bar.update(sum(map(len, items)))
        return sum(len(rows) for _, rows in missing)

    def gather(self, layer: str, table: pd.DataFrame, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        """Return the activations of ``layer`` for frames of ``table`` in the given views, float32 (len(rows), ...). They must be cached."""
        shape = self._shapes[layer]
        count = int(np.prod(shape))
        digests, positions = table["digest"].to_numpy()[rows], table["position"].to_numpy()[rows]
        values = np.empty((len(rows), count), np.float32)
        for index, (digest, view, position) in enumerate(zip(digests, views.tolist(), positions.tolist(), strict=True)):
            values[index] = frame_features.read_record(self.path(layer, digest, view), position, count)
        return values.reshape(-1, *shape)

    def path(self, layer: str, digest: str, view: int) -> Path:
        """Return the path of the file of a clean shard's activations in a view."""
        return self._folder(layer, view) / digest[:2] / digest

    def _open_folder(self, layer: str, view: int) -> Path:
        """Return the folder of a layer's activations in a view; its files are not evicted while this object exists."""
        augmentation_facts = {"view": view, "seed": self._seed, **self._augment.model_dump()} if view else {"view": 0}
        facts = json.dumps({**self._facts, "layer": layer, **augmentation_facts}, sort_keys=True)
        folder = self._root / _NAMESPACE / hashlib.sha256(facts.encode()).hexdigest()[:16]
        weakref.finalize(self, os.close, hold_entries(folder))
        return folder

    def _is_cached(self, table: pd.DataFrame, rows: np.ndarray, view: int) -> bool:
        paths = [self.path(layer, table["digest"].iloc[rows[0]], view) for layer in self._layers]
        if not all(path.exists() for path in paths):
            return False
        for path in paths:
            record_use(path)
        return True

    def _compute(self, table: pd.DataFrame, reader: FrameReader, view: int, items: Sequence[np.ndarray]) -> None:
        rows = np.concatenate(items)
        parts = [self._forward(table, reader, rows[start : start + _BATCH], view) for start in range(0, len(rows), _BATCH)]
        ends = np.cumsum([len(item) for item in items])[:-1]
        for number, layer in enumerate(self._layers):
            values = np.concatenate([part[number] for part in parts])
            for item, activations in zip(items, np.split(values, ends), strict=True):
                with atomic_path(self.path(layer, table["digest"].iloc[item[0]], view)) as temporary:
                    activations.tofile(temporary)

    def _forward(self, table: pd.DataFrame, reader: FrameReader, rows: np.ndarray, view: int) -> list[np.ndarray]:
        views = np.full(len(rows), view)
        frames = augmentation.augment_frames(reader.read(rows), table.iloc[rows], views, self._augment, self._seed)
        outputs = self._bottom.predict_on_batch(frames)
        per_layer = outputs if isinstance(outputs, list) else [outputs]
        return [frame_features.pack_records(output) for output in per_layer]

    def _check_free_space(self, frames: int) -> None:
        needed = 2 * frames * sum(int(np.prod(shape)) for shape in self._shapes.values())
        if not needed:
            return
        self._root.mkdir(parents=True, exist_ok=True)
        trim_caches(self._root, self._limit_bytes - needed)
        free = shutil.disk_usage(self._root).free
        if needed > free:
            reason = f"the activations need {needed / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB"
            raise SetupError(self._root, reason, "Free disk space, lower train.activations.views, or set train.activations.cache to false.")


def _rows_per_item(table: pd.DataFrame) -> Iterator[np.ndarray]:
    rows = np.arange(len(table))
    return (rows[positions] for positions in table.groupby("digest", sort=False).indices.values())


def _group_items(missing: Sequence[tuple[int, np.ndarray]]) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Group items of one view until they have enough frames for a batch."""
    group: list[np.ndarray] = []
    for number, (view, rows) in enumerate(missing):
        group.append(rows)
        last = number + 1 == len(missing) or missing[number + 1][0] != view
        if last or sum(map(len, group)) >= _GROUP_FRAMES:
            yield view, group
            group = []


def _digest_layers(layers: Sequence[keras.layers.Layer]) -> str:
    """Return a digest of the graph and the weights, without what differs between two builds: layer names and frozen layers."""
    digest = hashlib.sha256()
    for layer in layers:
        config = {key: value for key, value in layer.get_config().items() if key not in ("name", "trainable")}
        digest.update(json.dumps([type(layer).__name__, config], sort_keys=True, default=str).encode())
        for array in layer.get_weights():
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
