"""The most suspicious moments: runs of frames above the limit, the highest first."""

from hypothesis import given
from hypothesis import strategies as st

from realframe.detection.detection_builder import MAX_MOMENTS, find_moments
from realframe.store.detection_documents import FrameScore, Moment


def _frames_with_scores(scores: list[float]) -> list[FrameScore]:
    return [FrameScore(time_s=2 * index, score=score, attention=None) for index, score in enumerate(scores)]


def _frames_with_attention(shares: list[float | None]) -> list[FrameScore]:
    return [FrameScore(time_s=index, score=None, attention=share) for index, share in enumerate(shares)]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_moments_are_the_runs_above_one_half(scores: list[float]) -> None:
    frames = _frames_with_scores(scores)
    moments = find_moments(frames, "uncertain")
    assert len(moments) <= MAX_MOMENTS
    assert [moment.score for moment in moments] == sorted((moment.score for moment in moments), reverse=True)
    for moment in moments:
        first, peak, last = (int(at // 2) for at in (moment.start_s, moment.peak_s, moment.end_s))
        assert all(score > 0.5 for score in scores[first : last + 1])
        assert scores[peak] == moment.score == max(scores[first : last + 1])
        assert first == 0 or scores[first - 1] <= 0.5
        assert last == len(scores) - 1 or scores[last + 1] <= 0.5
    runs = sum(score > 0.5 and (index == 0 or scores[index - 1] <= 0.5) for index, score in enumerate(scores))
    assert len(moments) == min(runs, MAX_MOMENTS)
    if moments:
        assert moments[0].score == max(scores)


def test_without_a_run_the_moment_is_the_highest_frame() -> None:
    frames = _frames_with_scores([0.1, 0.45, 0.2])
    assert find_moments(frames, "ai-generated") == (Moment(start_s=2, end_s=2, peak_s=2, score=0.45),)
    assert find_moments(frames, "uncertain") == find_moments(frames, "real") == ()


def test_attention_counts_above_twice_its_mean() -> None:
    frames = _frames_with_attention([0.05, 0.3, 0.45, 0.05, 0.05, 0.05, 0.05])  # the mean is 1/7
    assert find_moments(frames, "real") == (Moment(start_s=1, end_s=2, peak_s=2, score=0.45),)
    assert find_moments(_frames_with_attention([0.2, 0.2, 0.3, 0.3]), "real") == ()


def test_without_score_or_attention_there_is_no_moment() -> None:
    assert find_moments(_frames_with_attention([None, None]), "ai-generated") == ()
