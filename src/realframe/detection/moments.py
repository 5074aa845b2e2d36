"""Find the stretches of a video that look most AI-generated."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from realframe.store.detection_documents import FrameScore, Moment

MAX_MOMENTS = 3
_SCORE_LIMIT = 0.5  # calibration leaves one half where it is
_ATTENTION_LIMIT = 2.0  # times the mean attention


def find_moments(frames: Sequence[FrameScore], verdict: str) -> tuple[Moment, ...]:
    """Return at most 3 stretches of a video, the most suspicious first.

    A stretch is a run of consecutive scored frames whose score is above one half (or, where the clip is scored as a whole, whose
    attention is above twice the mean). Stretches rank by their highest frame; of equals the earlier comes first. Where there is no
    stretch and the verdict is ``ai-generated``, the highest frame alone is returned. Frames with neither score nor attention give none.

    Args:
        frames: in the order of time.
        verdict: on the video.
    """
    weights, limit = _frame_weights(frames)
    if not len(weights):
        return ()
    runs = list(_find_runs(weights > limit))
    if not runs and verdict == "ai-generated":
        runs = [(int(weights.argmax()), int(weights.argmax()))]
    moments = [_build_moment(frames, weights, first, last) for first, last in runs]
    return tuple(sorted(moments, key=lambda moment: (-moment.score, moment.start_s))[:MAX_MOMENTS])


def _frame_weights(frames: Sequence[FrameScore]) -> tuple[NDArray[np.float64], float]:
    """Return the score (or attention) of each frame, and the limit above which a frame is suspicious; empty where there are none."""
    scores = [frame.score for frame in frames if frame.score is not None]
    if len(scores) == len(frames):
        return np.array(scores), _SCORE_LIMIT
    attention = [frame.attention for frame in frames if frame.attention is not None]
    if len(attention) == len(frames):
        return np.array(attention), _ATTENTION_LIMIT / len(frames)
    return np.zeros(0), 0.0


def _find_runs(suspicious: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], suspicious, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2):
        yield int(first), int(end) - 1


def _build_moment(frames: Sequence[FrameScore], weights: NDArray[np.float64], first: int, last: int) -> Moment:
    peak = first + int(weights[first : last + 1].argmax())
    return Moment(start_s=frames[first].time_s, end_s=frames[last].time_s, peak_s=frames[peak].time_s, score=float(weights[peak]))
