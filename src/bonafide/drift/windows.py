"""Cuts a model's predictions into windows. A window that is full never changes, so that it is measured once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from bonafide.drift.rules import Span
from bonafide.metadata.added import Prediction


@dataclass(frozen=True)
class Window:
    """A stretch of predictions.

    Attributes:
        name: by which it is found again: its number, or the hour at which it begins.
        predictions: the oldest first.
    """

    name: str
    predictions: tuple[Prediction, ...]


def cut(predictions: Sequence[Prediction], span: Span, until: datetime) -> tuple[list[Window], int]:
    """Return the full windows, the oldest first, and how many predictions wait for theirs to be full.

    Args:
        predictions: of one model.
        span: how far a window reaches. Windows of hours begin at whole multiples of them since 1970, UTC.
        until: the present.
    """
    ordered = sorted(predictions, key=lambda prediction: (prediction.at, prediction.key))
    windows = _by_number(ordered, span.items) if span.items else _by_hours(ordered, span.hours or 1, until)
    return windows, len(ordered) - sum(len(window.predictions) for window in windows)


def _by_number(ordered: list[Prediction], items: int) -> list[Window]:
    full = range(0, len(ordered) - len(ordered) % items, items)
    return [Window(f"n{items}-{start // items + 1}", tuple(ordered[start : start + items])) for start in full]


def _by_hours(ordered: list[Prediction], hours: int, until: datetime) -> list[Window]:
    length = timedelta(hours=hours).total_seconds()
    groups = groupby(ordered, key=lambda prediction: int(datetime.fromisoformat(prediction.at).timestamp() // length))
    found = [(datetime.fromtimestamp(number * length, UTC), tuple(some)) for number, some in groups]
    return [Window(f"h{hours}-{begins:%Y%m%dT%H}", some) for begins, some in found if begins + timedelta(hours=hours) <= until]
