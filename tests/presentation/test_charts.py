"""The geometry of the charts: the scale, the timeline and the pictures of the frames."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from realframe.presentation.detection_view import Scale
from realframe.presentation.formatting import format_probability
from realframe.presentation.sprites import Sprite
from realframe.presentation.timeline import Timeline, time_ticks
from realframe.store.detection_documents import FrameScore, ProbabilityInterval, Tiles
from tests.detection_factory import make_detection

shares = st.floats(0, 1)
lengths = st.floats(0.01, 100_000)


@given(shares, shares, shares)
def test_the_scale_holds_the_probability_within_its_interval(one: float, two: float, three: float) -> None:
    low, probability, high = sorted((one, two, three))
    scale = Scale.from_detection(make_detection(probability=probability, interval=ProbabilityInterval(low=low, high=high)))
    assert scale
    assert scale.low is not None
    assert scale.high is not None
    assert 1 <= scale.low <= scale.probability <= scale.high <= 99
    assert 0 <= scale.real_end < scale.label_x < scale.fake_start <= 100
    assert format_probability(probability) in scale.label


def test_the_scale_never_reads_out_certainty() -> None:
    scale = Scale.from_detection(make_detection(probability=0.997, interval=ProbabilityInterval(low=0.004, high=0.9999)))
    assert scale
    words = scale.label.replace("\N{NO-BREAK SPACE}", " ")
    assert "AI-generated is 99 % (95 % interval: 1 % to 99 %)" in words
    assert "100 %" not in words


def test_what_was_not_scored_has_no_scale_and_no_timeline() -> None:
    nothing = make_detection(probability=0.5, facts=None, frame_count=1).model_copy(update={"probability": None, "frames": ()})
    assert Scale.from_detection(nothing) is None
    assert Timeline.from_detection(nothing) is None


@given(st.lists(st.tuples(st.floats(0, 5000), shares), min_size=2, max_size=60), st.booleans())
def test_the_timeline_rises_in_time_and_is_higher_for_higher_scores(timed_values: list[tuple[float, float]], scored: bool) -> None:
    frames = tuple(
        FrameScore(time_s=time, score=value if scored else None, attention=None if scored else value)
        for time, value in sorted(timed_values)
    )
    line = Timeline.from_detection(make_detection(moments=()).model_copy(update={"frames": frames}))
    assert line
    assert all(0 <= mark.x <= 100 and 0 <= mark.y <= 100 for mark in line.marks)
    assert all(one.x <= two.x for one, two in itertools.pairwise(line.marks))
    heights = [mark.y for mark in line.marks]
    assert line.marks[line.peak].y == min(heights)
    assert (line.threshold is not None) == scored
    if line.threshold is not None:
        above = [frame for frame, mark in zip(frames, line.marks, strict=True) if mark.y < line.threshold - 0.01]
        assert all(frame.score is not None and frame.score > 0.5 for frame in above)


def test_the_script_gets_every_frame_with_its_picture() -> None:
    line = Timeline.from_detection(make_detection(frame_count=8))
    assert line
    data = line.for_script()
    assert data["time_s"] == [float(index) for index in range(8)]
    assert data["box"][5] == "32 32 32 32"  # the second row's second tile
    assert data["text"][0] == "Frame at 0:00: score 0.12"
    assert (data["peak"], data["length_s"]) == (7, 8)
    assert line.spans == ((75.0, 12.5),)


def test_the_values_beside_the_timeline_are_at_their_heights() -> None:
    line = Timeline.from_detection(make_detection(frame_count=8))
    assert line
    assert [(level.text, level.y) for level in line.levels] == [("1", 6.0), ("0.5", 50.0), ("0", 94.0)]
    assert line.threshold == 50.0


def test_a_picture_and_a_clip_without_scores_of_frames_have_no_timeline() -> None:
    assert Timeline.from_detection(make_detection(frame_count=1)) is None
    unscored = tuple(FrameScore(time_s=time, score=None, attention=None) for time in (0.0, 1.0))
    assert Timeline.from_detection(make_detection(moments=()).model_copy(update={"frames": unscored})) is None


@given(lengths)
def test_at_most_six_round_times_are_under_the_timeline(length: float) -> None:
    ticks = time_ticks(length)
    assert 1 <= len(ticks) <= 6
    assert [tick.x for tick in ticks] == sorted(tick.x for tick in ticks)
    assert ticks[-1].x <= 100.01
    assert len({tick.text for tick in ticks}) == len(ticks)


@given(st.sets(st.integers(0, 200), min_size=1, max_size=40), st.integers(1, 9), st.integers(0, 200))
def test_each_frame_shows_the_nearest_picture_that_was_made(pictured: set[int], columns: int, frame: int) -> None:
    sprite = Sprite(Tiles(size=10, columns=columns, frame_indices=tuple(sorted(pictured))))
    nearest = sprite.nearest_frame(frame)
    assert nearest in pictured
    assert abs(nearest - frame) == min(abs(other - frame) for other in pictured)
    x, y, width, height = map(int, sprite.box(frame).split())
    assert (width, height) == (10, 10)
    assert 0 <= x < sprite.tiles.width
    assert 0 <= y < sprite.tiles.height
    assert (y // 10) * columns + x // 10 == sorted(pictured).index(nearest)


def test_without_pictures_there_is_no_sprite() -> None:
    assert Sprite.from_tiles(None) is None
    assert Sprite.from_tiles(Tiles(size=10, columns=2, frame_indices=())) is None
