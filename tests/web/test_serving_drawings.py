"""The geometry of the drawings: the scale, the timeline, the pictures of the frames; and how figures are written."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from realframe.presentation import formatting
from realframe.presentation.detection_view import Scale
from realframe.presentation.sprites import Sprite, sprite_of
from realframe.presentation.timeline import Timeline, ticks
from realframe.store.detection_documents import FrameScore, Interval, Tiles
from tests.web.answers import answer

shares = st.floats(0, 1)
lengths = st.floats(0.01, 100_000)


@given(shares, shares, shares)
def test_the_scale_holds_the_probability_within_its_interval(one: float, two: float, three: float) -> None:
    low, at, high = sorted((one, two, three))
    scale = Scale.of(answer(probability=at, interval=Interval(low=low, high=high)))
    assert scale
    assert scale.low is not None
    assert scale.high is not None
    assert 0 <= scale.low <= scale.at <= scale.high <= 100
    assert 0 <= scale.real < scale.middle < scale.fake <= 100
    assert f"{scale.at:.0f} %" in scale.words


def test_what_was_not_scored_has_no_scale_and_no_timeline() -> None:
    nothing = answer(probability=0.5, facts=None, frames=1).model_copy(update={"probability": None, "frames": ()})
    assert Scale.of(nothing) is None
    assert Timeline.of(nothing) is None


@given(st.lists(st.tuples(st.floats(0, 5000), shares), min_size=2, max_size=60), st.booleans())
def test_the_timeline_rises_in_time_and_stands_higher_for_what_scores_higher(given_frames: list[tuple[float, float]], scored: bool) -> None:
    frames = tuple(
        FrameScore(time_s=at, score=value if scored else None, attention=None if scored else value) for at, value in sorted(given_frames)
    )
    line = Timeline.of(answer(moments=()).model_copy(update={"frames": frames}))
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
    line = Timeline.of(answer(frames=8))
    assert line
    told = line.for_script()
    assert told["time_s"] == [float(place) for place in range(8)]
    assert told["box"][5] == "32 32 32 32"  # the second row's second tile
    assert told["words"][0] == "Frame at 0:00: score 0.12"
    assert (told["peak"], told["length_s"]) == (7, 8)
    assert line.stretches == ((75.0, 12.5),)


def test_a_picture_and_a_clip_without_scores_of_frames_have_no_timeline() -> None:
    assert Timeline.of(answer(frames=1)) is None
    silent = tuple(FrameScore(time_s=at, score=None, attention=None) for at in (0.0, 1.0))
    assert Timeline.of(answer(moments=()).model_copy(update={"frames": silent})) is None


@given(lengths)
def test_at_most_six_round_times_stand_under_the_timeline(length: float) -> None:
    found = ticks(length)
    assert 1 <= len(found) <= 6
    assert [tick.x for tick in found] == sorted(tick.x for tick in found)
    assert found[-1].x <= 100.01
    assert len({tick.words for tick in found}) == len(found)


@given(st.sets(st.integers(0, 200), min_size=1, max_size=40), st.integers(1, 9), st.integers(0, 200))
def test_each_frame_shows_the_nearest_picture_that_was_made(shown: set[int], columns: int, place: int) -> None:
    sprite = Sprite(Tiles(size=10, columns=columns, shown=tuple(sorted(shown))))
    nearest = sprite.nearest(place)
    assert nearest in shown
    assert abs(nearest - place) == min(abs(one - place) for one in shown)
    x, y, width, height = map(int, sprite.box(place).split())
    assert (width, height) == (10, 10)
    assert 0 <= x < sprite.tiles.width
    assert 0 <= y < sprite.tiles.height
    assert (y // 10) * columns + x // 10 == sorted(shown).index(nearest)


def test_no_pictures_no_sprite() -> None:
    assert sprite_of(None) is None
    assert sprite_of(Tiles(size=10, columns=2, shown=())) is None


@given(shares)
def test_what_is_not_certain_is_never_written_as_certain(share: float) -> None:
    said = formatting.percent_text(share)
    assert (said == "100\N{NO-BREAK SPACE}%") == (share == 1)
    assert (said == "0\N{NO-BREAK SPACE}%") == (share == 0)
    assert (formatting.weight(share, scored=True) == "score 1.00") == (share == 1)


def test_times_and_sizes() -> None:
    told = [formatting.clock(seconds) for seconds in (0, 0.26, 9.96, 59.6, 65, 3725)]
    assert told == ["0:00", "0:00.3", "0:10", "1:00", "1:05", "1:02:05"]
    assert [formatting.size(count).replace("\N{NO-BREAK SPACE}", " ") for count in (12, 3400, 5_120_000)] == [
        "12 bytes",
        "3.4 kB",
        "5.12 MB",
    ]
    assert formatting.when("2026-11-20T10:00:59.123+00:00") == "2026-11-20 10:00 UTC"
