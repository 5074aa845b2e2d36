"""Select the sampled frames of a video from the time of each frame; exact, also at a variable frame rate."""

import math
from collections.abc import Sequence
from fractions import Fraction

from realframe.config import Sampling


def sample_indices(times_s: Sequence[Fraction], sampling: Sampling, max_frames: int) -> list[int]:
    """Return the indices of the sampled frames, rising; the first frame is always among them.

    * ``fps: k``: the first frame in each window of 1/k s, counted from the first frame.
    * ``every: n``: frames 0, n, 2n, ...
    * ``uniform: n``: n frames evenly spaced by index, first and last included; all frames if there are fewer.

    Args:
        times_s: time of each frame, seconds since the first, not falling.
        sampling: which of the three rules.
        max_frames: more sampled frames than this are subsampled evenly.
    """
    if sampling.fps is not None:
        indices = _first_in_window(times_s, Fraction(sampling.fps).limit_denominator(1_000_000))
    elif sampling.every is not None:
        indices = list(range(0, len(times_s), sampling.every))
    else:
        indices = sample_evenly(range(len(times_s)), sampling.uniform or 1)
    return sample_evenly(indices, max_frames)


def sample_evenly(items: Sequence[int], count: int) -> list[int]:
    """Return at most ``count`` of ``items``, evenly spaced, with the first and the last; the first alone if ``count`` is 1."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[0]]
    return [items[round(Fraction(position * (len(items) - 1), count - 1))] for position in range(count)]


def _first_in_window(times_s: Sequence[Fraction], fps: Fraction) -> list[int]:
    windows = [math.floor(time_s * fps) for time_s in times_s]
    return [index for index, window in enumerate(windows) if index == 0 or window > windows[index - 1]]
