"""The most suspicious moments: runs of frames above the limit, the highest first."""

from hypothesis import given
from hypothesis import strategies as st

from realframe.detection.moments import MOST, moments_of
from realframe.store.detection_documents import FrameScore, Moment


def _scored(scores: list[float]) -> list[FrameScore]:
    return [FrameScore(time_s=2 * place, score=score, attention=None) for place, score in enumerate(scores)]


def _attended(shares: list[float | None]) -> list[FrameScore]:
    return [FrameScore(time_s=place, score=None, attention=share) for place, share in enumerate(shares)]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_they_are_the_runs_above_one_half(scores: list[float]) -> None:
    frames = _scored(scores)
    found = moments_of(frames, "uncertain")
    assert len(found) <= MOST
    assert [moment.score for moment in found] == sorted((moment.score for moment in found), reverse=True)
    for moment in found:
        first, peak, last = (int(at // 2) for at in (moment.start_s, moment.peak_s, moment.end_s))
        assert all(score > 0.5 for score in scores[first : last + 1])
        assert scores[peak] == moment.score == max(scores[first : last + 1])
        assert first == 0 or scores[first - 1] <= 0.5
        assert last == len(scores) - 1 or scores[last + 1] <= 0.5
    runs = sum(score > 0.5 and (place == 0 or scores[place - 1] <= 0.5) for place, score in enumerate(scores))
    assert len(found) == min(runs, MOST)
    if found:
        assert found[0].score == max(scores)


def test_without_a_run_a_verdict_has_its_highest_frame() -> None:
    frames = _scored([0.1, 0.45, 0.2])
    assert moments_of(frames, "ai-generated") == (Moment(start_s=2, end_s=2, peak_s=2, score=0.45),)
    assert moments_of(frames, "uncertain") == moments_of(frames, "real") == ()


def test_attention_counts_above_twice_its_mean() -> None:
    frames = _attended([0.05, 0.3, 0.45, 0.05, 0.05, 0.05, 0.05])  # the mean is 1/7
    assert moments_of(frames, "real") == (Moment(start_s=1, end_s=2, peak_s=2, score=0.45),)
    assert moments_of(_attended([0.2, 0.2, 0.3, 0.3]), "real") == ()


def test_without_score_or_attention_nothing_is_said() -> None:
    assert moments_of(_attended([None, None]), "ai-generated") == ()
