"""The arrays that the figures are computed on."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def ratio(part: Floats, whole: Floats, empty: float = np.nan) -> Floats:
    """Return ``part / whole``, and ``empty`` where ``whole`` is not above 0."""
    return np.divide(part, whole, out=np.full(np.broadcast_shapes(part.shape, whole.shape), empty), where=whole > 0)
