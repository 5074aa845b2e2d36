"""Several tests at once: the more are asked, the likelier one of them cries out by luck."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the adjusted p-values of Holm (Scandinavian Journal of Statistics 6, 1979), in the order given.

    Held against a level each, the chance of any false alarm among them all is at most that level, however they hang together.

    Args:
        p_values: of the tests.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(factors * np.asarray(p_values, np.float64)[order]), 1.0)
    return [float(adjusted[place]) for place in np.argsort(order)]
