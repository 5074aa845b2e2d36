"""Which frames of a video are taken: from when each is shown to the indices of the chosen ones. Pure and exact, also at a variable rate."""

import math
from collections.abc import Sequence
from fractions import Fraction

from realframe.config import Sampling


def choose(times: Sequence[Fraction], sampling: Sampling, max_frames: int) -> list[int]:
    """Return the indices of the sampled frames, rising; the first frame is always among them.

    * ``fps: k``: the first frame in each window of 1/k s, counted from the first frame.
    * ``every: n``: frames 0, n, 2n, ...
    * ``uniform: n``: n frames evenly spaced by index, first and last included; all where there are fewer.

    Args:
        times: when each frame is shown, seconds since the first, not falling.
        sampling: which of the three.
        max_frames: above it the chosen frames are thinned evenly.
    """
    if sampling.fps is not None:
        chosen = _first_in_window(times, Fraction(sampling.fps).limit_denominator(1_000_000))
    elif sampling.every is not None:
        chosen = list(range(0, len(times), sampling.every))
    else:
        chosen = evenly(range(len(times)), sampling.uniform or 1)
    return evenly(chosen, max_frames)


def evenly(items: Sequence[int], count: int) -> list[int]:
    """Return at most ``count`` of ``items``, evenly spaced, the first and the last among them (one: the first)."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[0]]
    return [items[round(Fraction(place * (len(items) - 1), count - 1))] for place in range(count)]


def _first_in_window(times: Sequence[Fraction], fps: Fraction) -> list[int]:
    windows = [math.floor(time * fps) for time in times]
    return [index for index, window in enumerate(windows) if index == 0 or window > windows[index - 1]]
