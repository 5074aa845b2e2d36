"""The stretches of a video that look most AI-generated."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from realframe.store.detection_documents import FrameScore, Moment

MOST = 3
_HALF = 0.5  # of a score; calibration leaves one half where it is
_ABOVE_MEAN = 2.0  # times the mean attention


def moments_of(frames: Sequence[FrameScore], verdict: str) -> tuple[Moment, ...]:
    """Return at most 3 stretches of a video, the most suspicious first.

    A stretch is a run of frames that were looked at, one after the other, whose calibrated score is above one half (or whose attention is
    above twice the mean, where the clip is scored as a whole); it ranks by its highest frame, and of equals the earlier goes first. Where
    there is none and the verdict is ``ai-generated``, it is the highest frame alone. Where frames have neither score nor attention, nothing
    can be said.

    Args:
        frames: in the order of time.
        verdict: on the video.
    """
    weights, limit = _weights(frames)
    if not len(weights):
        return ()
    runs = list(_runs(weights > limit))
    if not runs and verdict == "ai-generated":
        runs = [(int(weights.argmax()), int(weights.argmax()))]
    moments = [_moment(frames, weights, first, last) for first, last in runs]
    return tuple(sorted(moments, key=lambda moment: (-moment.score, moment.start_s))[:MOST])


def _weights(frames: Sequence[FrameScore]) -> tuple[NDArray[np.float64], float]:
    """Return what frames are ranked by, and the limit above which one is suspicious; nothing where there is nothing to rank by."""
    scores = [frame.score for frame in frames if frame.score is not None]
    if len(scores) == len(frames):
        return np.array(scores), _HALF
    shares = [frame.attention for frame in frames if frame.attention is not None]
    if len(shares) == len(frames):
        return np.array(shares), _ABOVE_MEAN / len(frames)
    return np.zeros(0), 0.0


def _runs(above: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last place of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], above, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2):
        yield int(first), int(end) - 1


def _moment(frames: Sequence[FrameScore], weights: NDArray[np.float64], first: int, last: int) -> Moment:
    peak = first + int(weights[first : last + 1].argmax())
    return Moment(start_s=frames[first].time_s, end_s=frames[last].time_s, peak_s=frames[peak].time_s, score=float(weights[peak]))
