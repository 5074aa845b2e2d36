"""Build the detection of a file from the scores of the network, or from the error for which the file cannot be scored.

Of a video, the detection also names the moments that look most AI-generated.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from realframe.detection.cautions import find_quality_cautions, make_override_caution
from realframe.detection.confidence import KindVerdicts, compute_interval
from realframe.detection.loaded_model import LoadedModel
from realframe.detection.result import DecodedFile
from realframe.detection.stability import find_instability
from realframe.errors import MediaError, UndecodableError
from realframe.evaluation.item_scores import ItemScore
from realframe.media.file_frames import FileFrames
from realframe.media.probe import MediaFacts
from realframe.provenance.origin import FileCheck
from realframe.provenance.origin_reader import doubt_checks
from realframe.statistics.conformal import Verdict
from realframe.store.detection_documents import Caution, Detection, FileFacts, FrameScore, Moment

_SEED_DIGITS = 16  # hex digits of the file's digest
MAX_MOMENTS = 3
_DAMAGED, _UNDECODABLE = "The file is damaged", "The file cannot be decoded"
_SCORE_LIMIT = 0.5
_ATTENTION_LIMIT = 2.0  # times the mean attention


def build_scored_detection(
    model: LoadedModel, decoded: DecodedFile, frames: FileFrames, item: ItemScore, view_scores: Mapping[str, float]
) -> Detection:
    """Return the detection of a file that was scored.

    Args:
        model: the model that scored it.
        decoded: the file.
        frames: of the file.
        item: the scores of the network.
        view_scores: of the views of an image, by their names; a verdict that they contradict becomes ``uncertain``.
    """
    of_kind, frame_scores = model.rule.for_kind(frames.facts.kind), _frame_scores(frames, item)
    probability = float(of_kind.rule.calibration.apply(np.array(item.score, np.float64)))
    views = {name: float(of_kind.rule.calibration.apply(np.array(score, np.float64))) for name, score in view_scores.items()}
    unstable = find_instability(probability, views, of_kind.rule.band)
    verdict: Verdict = "uncertain" if unstable else of_kind.find_verdict(probability)
    seed = int(frames.sha256[:_SEED_DIGITS], 16)
    return Detection(
        file=decoded.name,
        sha256=frames.sha256,
        facts=_file_facts(frames.facts),
        verdict=verdict,
        probability=probability,
        interval=compute_interval(probability, item.score, item.frame_scores, model.aggregate, of_kind.resamples, seed),
        score=item.score,
        band=of_kind.rule.band,
        threshold=model.rule.threshold,
        frames_analyzed=len(frame_scores),
        frames=frame_scores,
        moments=find_moments(frame_scores, verdict) if frames.facts.kind == "video" else (),
        cautions=(*([unstable] if unstable else ()), *_find_cautions(model, frames, item, of_kind)),
        provenance=doubt_checks(decoded.provenance, "" if frames.damaged_share is None else _DAMAGED),
        tiles=None,
        model=model.version,
        seconds=decoded.timer.stop(),
        abstention=of_kind.abstention,
        damage=FileCheck("damage", "not-found" if frames.damaged_share is None else "found"),
    )


def build_unscored_detection(model: LoadedModel, decoded: DecodedFile, error: MediaError) -> Detection:
    """Return the detection of a file that cannot be scored; its message names the file as ``decoded.name``, never by its path."""
    return Detection(
        file=decoded.name,
        sha256=decoded.sha256,
        facts=None,
        verdict="not scored",
        probability=None,
        interval=None,
        score=None,
        band=None,
        threshold=model.rule.threshold,
        frames_analyzed=0,
        frames=(),
        moments=(),
        cautions=(),
        provenance=doubt_checks(decoded.provenance, _UNDECODABLE if isinstance(error, UndecodableError) else ""),
        tiles=None,
        model=model.version,
        seconds=decoded.timer.stop(),
        code=error.code,
        message=str(type(error)(decoded.name, error.reason, error.hint)),
    )


def _file_facts(facts: MediaFacts) -> FileFacts:
    return FileFacts(**{name: getattr(facts, name) for name in FileFacts.model_fields})


def _frame_scores(frames: FileFrames, item: ItemScore) -> tuple[FrameScore, ...]:
    """Return the time, score and attention of each scored frame."""
    times = frames.times_s[item.positions]
    scores, attention = _to_floats(item.frame_scores, len(times)), _to_floats(item.attention, len(times))
    return tuple(
        FrameScore(time_s=float(time), score=score, attention=weight) for time, score, weight in zip(times, scores, attention, strict=True)
    )


def _to_floats(values: NDArray[np.floating] | None, count: int) -> list[float | None]:
    return [None] * count if values is None else [min(max(float(value), 0.0), 1.0) for value in values]


def _find_cautions(model: LoadedModel, frames: FileFrames, item: ItemScore, of_kind: KindVerdicts) -> tuple[Caution, ...]:
    overridden = () if of_kind.overridden is None else (make_override_caution(frames.facts.kind, of_kind.override, of_kind.overridden),)
    return (*overridden, *find_quality_cautions(frames.facts, len(item.positions), model.params, frames.damaged_share))


def find_moments(frames: Sequence[FrameScore], verdict: str) -> tuple[Moment, ...]:
    """Return at most 3 stretches of a video, the most suspicious first.

    A stretch is a run of consecutive scored frames whose score is above one half (or, where the clip is scored as a whole, whose
    attention is above twice the mean). Stretches rank by their highest frame; of equals the earlier comes first. Where there is no
    stretch and the verdict is ``ai-generated``, the highest frame alone is returned. Frames with neither score nor attention give none.

    Args:
        frames: in the order of time.
        verdict: on the video.
    """
    weights, limit = _frame_values(frames)
    if not len(weights):
        return ()
    runs = list(_find_runs(weights > limit))
    if not runs and verdict == "ai-generated":
        runs = [(int(weights.argmax()), int(weights.argmax()))]
    moments = [_build_moment(frames, weights, first, last) for first, last in runs]
    return tuple(sorted(moments, key=lambda moment: (-moment.score, moment.start_s))[:MAX_MOMENTS])


def _frame_values(frames: Sequence[FrameScore]) -> tuple[NDArray[np.float64], float]:
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
