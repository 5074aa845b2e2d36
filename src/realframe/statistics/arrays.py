"""Array types of the statistics, and division that allows empty denominators."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def divide_safe(numerator: Floats, denominator: Floats, default: float = np.nan) -> Floats:
    """Return ``numerator / denominator``, and ``empty`` where the denominator is not above 0."""
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), default)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)
