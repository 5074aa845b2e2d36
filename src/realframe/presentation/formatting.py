"""How figures are named and written for people.

How sizes, shares and times are written on the pages.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_NONE = "\N{EN DASH}"
METRIC_WORDS = {
    "roc_auc": ("ROC-AUC", "Shown one AI-generated and one real item, how often the AI-generated one scores higher. 0.5 is guessing."),
    "pr_auc": ("PR-AUC", "How often an alarm is right, averaged over all thresholds."),
    "accuracy": ("Accuracy", "The share of items that is called right."),
    "balanced_accuracy": ("Balanced accuracy", "The same, with both classes counting equally however many items they have."),
    "precision": ("Precision", "Of what is called AI-generated, the share that is."),
    "recall": ("Recall", "Of what is AI-generated, the share that is found."),
    "f1": ("F1", "One figure for precision and recall together."),
    "mcc": ("MCC", "Matthews correlation of verdict and truth: 0 is guessing, 1 is complete; it can't be raised by favouring one class."),
    "eer": ("EER", "Equal error rate: where as many reals are called fake as fakes real. Lower is better."),
    "log_loss": ("Log loss", "How surprised the probabilities are by the truth. Lower is better; always saying 0.5 gives 0.69."),
    "brier": ("Brier score", "Mean squared error of the probabilities. Lower is better; always saying 0.5 gives 0.25."),
    "ece": ("ECE", "Calibration error: how far a probability lies from the share that is really AI-generated. Lower is better."),
}
PERTURBATION_WORDS = {
    "jpeg": ("JPEG recompression", "quality"),
    "blur": ("Gaussian blur", "sigma, pixels"),
    "downscale": ("Scaled down and back", "factor"),
    "crop": ("Centre crop", "share of the side"),
    "h264": ("H.264 recompression", "CRF"),
    "noise": ("Gaussian noise", "sigma, of 255"),
}
DIMENSION_WORDS = {
    "generator": "Generator",
    "source": "Source",
    "codec": "Codec",
    "resolution": "Resolution",
    "duration": "Duration",
    "brightness": "Brightness",
}


def figure(value: float | None) -> str:
    """Return a figure as people read it, such as ``0.87``; the last step below 1 is not rounded up to it."""
    if value is None:
        return _NONE
    rounded = f"{value:.2f}"
    return ">0.99" if rounded == "1.00" and value < 1 else rounded


def between(entry: Mapping[str, Any]) -> str:
    """Return an interval such as ``0.80 to 0.93``, or nothing where there is none."""
    if entry.get("low") is None:
        return ""
    return f"{figure(entry['low'])} to {figure(entry['high'])}"


def percent(part: float | None) -> str:
    """Return a share in per cent."""
    if part is None:
        return _NONE
    return f"{100 * part:.0f}\N{NO-BREAK SPACE}%"


def count(number: int) -> str:
    """Return a number of items."""
    return f"{number:,}"


def signed(value: float | None) -> str:
    """Return a difference with its sign, such as ``+0.03``."""
    return _NONE if value is None else f"{value:+.2f}"


def shown(value: Any, how: str) -> str:
    """Return a figure in one of the ways above, named by its function."""
    return {"figure": figure, "percent": percent, "signed": signed, "count": count}[how](value)


def worst_unseen(metrics: Mapping[str, Any]) -> int | None:
    """Return the place, among the generators that were kept out of training, of the one that is recognised worst."""
    areas = [row["roc_auc"]["value"] for row in metrics["held_out"]["generators"]]
    known = [place for place, area in enumerate(areas) if area is not None]
    return min(known, key=lambda place: areas[place], default=None)


def value_at(metrics: Mapping[str, Any], path: str) -> Any:
    """Return what stands under a dotted path of ``metrics.json``, such as ``slices.codec.0.right.value``. Raises KeyError."""
    found: Any = metrics
    for name in path.split("."):
        found = found[int(name)] if isinstance(found, list) else found[name]
    return found


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


def percent_text(share: float) -> str:
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
