"""How sizes, shares and times are written on the pages."""

from datetime import datetime

_UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB"))
_SPACE = "\N{NO-BREAK SPACE}"
VERDICTS = {"real": "real", "ai-generated": "AI-generated", "uncertain": "uncertain", "not scored": "not scored"}
"""The verdicts as people read them."""


def size(count: int) -> str:
    """Return a number of bytes, such as ``3.4 MB``."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.3g}{_SPACE}{name}"
    return f"{count}{_SPACE}bytes"


def percent(share: float) -> str:
    """Return a probability in per cent; nothing is rounded up to 100 % or down to 0 %."""
    rounded = round(100 * share)
    if rounded == 100 and share < 1:
        return f">99{_SPACE}%"
    if rounded == 0 and share > 0:
        return f"<1{_SPACE}%"
    return f"{rounded}{_SPACE}%"


def weight(value: float, *, scored: bool) -> str:
    """Return what a frame counts: its own score, or its share of the clip's; a score is not rounded up to 1."""
    if not scored:
        return f"{100 * value:.0f}{_SPACE}% of the verdict"
    return f"score {'>0.99' if 0.995 <= value < 1 else f'{value:.2f}'}"


def clock(seconds: float) -> str:
    """Return a time as players show it, such as ``1:05``, with a tenth below ten seconds: ``0:03.2``."""
    tenths = round(seconds * 10)
    if tenths < 100 and tenths % 10:
        return f"0:0{tenths // 10}.{tenths % 10}"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def when(at: str) -> str:
    """Return a moment of the store, ISO 8601 in UTC, to the minute."""
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"
