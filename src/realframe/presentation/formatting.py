"""Format numbers, sizes and times: the same way on the pages, in the reports and on the terminal.

A value below 1 is never shown as 1 or 100 %, nor a share above 0 as 0 %. A probability of a file is never shown below 1 % or above 99 %:
no detector is surer than that.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from realframe.statistics.calibration import HIGHEST, LOWEST

_NONE = "\N{EN DASH}"
_SPACE = "\N{NO-BREAK SPACE}"
_UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB"))
_TENTHS_BELOW_S = 10  # frames of a short video lie closer together than a second


def format_figure(value: float | None, decimals: int = 2) -> str:
    """Return a figure such as ``0.87``; a value below 1 that would round to 1 is ``>0.99``."""
    if value is None:
        return _NONE
    text = f"{value:.{decimals}f}"
    if value < 1 and float(text) == 1:
        return f">{1 - 10**-decimals:.{decimals}f}"
    return text


def format_interval(entry: Mapping[str, Any]) -> str:
    """Return the interval of a figure, such as ``0.80 to 0.93``; empty where its ``low`` is None."""
    if entry.get("low") is None:
        return ""
    return f"{format_figure(entry['low'])} to {format_figure(entry['high'])}"


def format_percent(share: float | None) -> str:
    """Return a share in percent, such as ``87 %``; one that would round to 0 % or 100 % is ``<1 %`` or ``>99 %``."""
    if share is None:
        return _NONE
    text = f"{100 * share:.0f}"
    if text == "100" and share < 1:
        text = ">99"
    elif text == "0" and share > 0:
        text = "<1"
    return f"{text}{_SPACE}%"


def bound_probability(probability: float) -> float:
    """Return a probability as it is shown, from 0.01 to 0.99."""
    return min(max(probability, LOWEST), HIGHEST)


def format_probability(probability: float | None) -> str:
    """Return a probability in percent, such as ``87 %``, from 1 % to 99 %."""
    return _NONE if probability is None else format_percent(bound_probability(probability))


def format_signed(value: float | None) -> str:
    """Return a difference with its sign, such as ``+0.03``."""
    return _NONE if value is None else f"{value:+.2f}"


def format_count(number: int) -> str:
    """Return a number of items, such as ``1,200``."""
    return f"{number:,}"


def format_size(count: int) -> str:
    """Return a number of bytes, such as ``3.4 MB``."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.3g}{_SPACE}{name}"
    return f"{count}{_SPACE}bytes"


def format_clock(seconds: float) -> str:
    """Return a time in a video, such as ``1:05``, with a tenth below ten seconds: ``0:03.2``.

    It is cut off, not rounded, as video players do, so that it agrees with the player on the same page.
    """
    tenths = int(seconds * 10 + 1e-6)
    if seconds < _TENTHS_BELOW_S and tenths % 10:
        return f"0:0{tenths // 10}.{tenths % 10}"
    minutes, second = divmod(tenths // 10, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def format_timestamp(time: str) -> str:
    """Return a time of the store, ISO 8601 in UTC, to the minute."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M} UTC"


FILTERS: dict[str, Callable[..., str]] = {
    "figure": format_figure,
    "interval": format_interval,
    "percent": format_percent,
    "probability": format_probability,
    "signed": format_signed,
    "count": format_count,
    "size": format_size,
    "clock": format_clock,
    "timestamp": format_timestamp,
}
"""The formats by their names in templates, such as ``{{ probability | percent }}``."""


def format_value(value: Any, name: str) -> str:
    """Return a value in one of the formats of ``FILTERS``."""
    return FILTERS[name](value)
