"""Is a file unlike everything that the detector was trained on? Then its verdict may mean nothing.

By the distance of its features to the k-th nearest training item: Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors",
ICML 2022. How far is far is said by the validation items, which the network was not trained on either: a conformal p-value (Bates et al.,
"Testing for outliers with conformal p-values", Annals of Statistics 2023). Of files like the validation items one in a hundred is called
far; with fewer than 99 of them, one in n + 1.

The features of the training items are means over at most 4 frames, those of a file over all that were looked at.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bonafide.metadata.detections import Caution

_NEAREST = 5
_LEVEL = 0.01
_NORM = 1e-10  # features of nothing but zeros have no direction


@dataclass(frozen=True)
class Domain:
    """Where the items of the training lie.

    Attributes:
        train: their features, each of length 1, (m, width), m at least 5.
        distances: of each validation item to its 5th nearest training item, sorted, (n,).
    """

    train: NDArray[np.float64]
    distances: NDArray[np.float64]

    @classmethod
    def of(cls, reference: pd.DataFrame) -> Self | None:
        """Take it out of ``reports/reference.parquet``; None where that holds no validation items or too few training items."""
        train, val = (reference.loc[reference["split"] == split, "features"].to_list() for split in ("train", "val"))
        if len(train) < _NEAREST or not val:
            return None
        directions = _directions(np.stack(train))
        return cls(directions, np.sort(_distances(directions, np.stack(val))))

    def caution(self, features: NDArray[np.float32]) -> Caution | None:
        """Return ``domain.far`` where features (width,) lie farther from the training than all but 1 % of the validation items do."""
        distance = _distances(self.train, features[None])[0]
        items = len(self.distances)
        as_far = items - int(np.searchsorted(self.distances, distance, side="left"))
        if (1 + as_far) / (items + 1) > max(_LEVEL, 1 / (items + 1)):
            return None
        others = "99 % of the validation items" if as_far else f"all {items} validation items"
        said = f"It looks unlike everything that this detector was trained on: farther than {others}. Its verdict may mean nothing."
        return Caution(code="domain.far", message=said)


def _distances(train: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the distance of each row to its 5th nearest training item."""
    closeness = np.sort(_directions(features) @ train.T, axis=1)[:, -_NEAREST]
    return np.asarray(np.sqrt(np.maximum(2 - 2 * closeness, 0)), np.float64)  # of vectors of length 1


def _directions(features: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = features.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), _NORM), np.float64)
