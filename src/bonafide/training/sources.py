"""Where the trainable tail's inputs come from: the cache of activations, or the pixels anew each time. Both give the same."""

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from bonafide.dataset.batches import FrameReader, Gather
from bonafide.models import boundary
from bonafide.models.activations import ActivationCache
from bonafide.models.augment import augment
from bonafide.params import Augment


@dataclass(frozen=True)
class Sources:
    """Gives inputs for the frames of one table at a layer of the detector.

    Attributes:
        table: the frames.
        detector: the network below the layer must not have been trained yet, or not be trained at all.
        augment: the changes of the views.
        seed: of those changes.
        reader: decodes the frames.
        cache: where activations are kept; None computes them anew each time.
    """

    table: pd.DataFrame
    detector: keras.Model
    augment: Augment
    seed: int
    reader: FrameReader
    cache: ActivationCache | None

    def at(self, layer: keras.layers.Layer) -> Gather:
        """Return what gives the outputs of ``layer``, float32, for rows of the table in given views."""
        cache = self.cache
        if cache is not None:
            return lambda rows, views: cache.gather(layer.name, self.table, rows, views)
        if isinstance(layer, keras.layers.InputLayer):
            return self._frames
        bottom = boundary.split(self.detector, layer)[0]
        return lambda rows, views: np.asarray(bottom.predict_on_batch(self._frames(rows, views)))

    def _frames(self, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        return augment(self.reader.read(rows), self.table.iloc[rows], views, self.augment, self.seed)
