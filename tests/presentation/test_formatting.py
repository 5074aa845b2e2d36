"""How shares, figures, times and sizes are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realframe.presentation.formatting import format_clock, format_figure, format_percent, format_probability, format_size, format_timestamp
from realframe.presentation.wording import describe_frame_value

shares = st.floats(0, 1)


@given(shares)
def test_what_is_not_certain_is_never_written_as_certain(share: float) -> None:
    text = format_percent(share)
    assert (text == "100\N{NO-BREAK SPACE}%") == (share == 1)
    assert (text == "0\N{NO-BREAK SPACE}%") == (share == 0)
    assert (describe_frame_value(share, scored=True) == "score 1.00") == (share == 1)
    assert not describe_frame_value(share, scored=False).startswith("100") or share == 1


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.004, "<1 %"),
        (0.006, "1 %"),
        (0.87, "87 %"),
        (0.994, "99 %"),
        (0.997, ">99 %"),
        (1.0, "100 %"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_share_in_percent(share: float | None, text: str) -> None:
    assert format_percent(share).replace("\N{NO-BREAK SPACE}", " ") == text


@given(shares)
def test_a_probability_is_shown_from_1_to_99_percent(probability: float) -> None:
    number, sign = format_probability(probability).split("\N{NO-BREAK SPACE}")
    assert sign == "%"
    assert 1 <= int(number) <= 99
    assert abs(int(number) - 100 * probability) <= 1


def test_a_figure_with_more_decimals_is_not_rounded_to_1_either() -> None:
    assert [format_figure(0.99996, decimals) for decimals in (2, 3, 4, 5)] == [">0.99", ">0.999", ">0.9999", "0.99996"]
    assert format_figure(1.0, 4) == "1.0000"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (0.26, "0:00.2"),
        (0.3, "0:00.3"),
        (9.96, "0:09.9"),
        (59.6, "0:59"),
        (59.9, "0:59"),
        (61, "1:01"),
        (65, "1:05"),
        (3723, "1:02:03"),
        (3725, "1:02:05"),
    ],
)
def test_a_time_in_a_video_is_cut_off_as_in_a_player(seconds: float, text: str) -> None:
    assert format_clock(seconds) == text


@given(st.integers(0, 99))
def test_tenths_below_ten_seconds_are_exact(tenths: int) -> None:
    second, tenth = divmod(tenths, 10)
    assert format_clock(tenths / 10) == f"0:0{second}" + (f".{tenth}" if tenth else "")


def test_sizes_and_timestamps() -> None:
    assert [format_size(count).replace("\N{NO-BREAK SPACE}", " ") for count in (12, 3400, 5_120_000)] == [
        "12 bytes",
        "3.4 kB",
        "5.12 MB",
    ]
    assert format_timestamp("2026-11-20T10:00:59.123+00:00") == "2026-11-20 10:00 UTC"
