"""What a reader must know before the first figure: the reasons not to trust it."""

import logging
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from realframe.data.shortcut_audit import leaks

CHANCE = 0.5
"""ROC-AUC and balanced accuracy of who guesses."""
_DEMO = "demo-"  # what the names of the cameras and generators of `realframe demo-data` begin with
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caveat:
    """A reason for distrust.

    Attributes:
        level: ``danger`` says don't use the detector, ``caution`` says read its figures with care.
        title: a few words.
        text: a sentence or two, with the figures.
    """

    level: Literal["danger", "caution"]
    title: str
    text: str


def caveats_of(metrics: dict[str, Any], splits: pd.DataFrame, shortcuts: dict[str, Any]) -> list[Caveat]:
    """Return every reason for distrust, the gravest first.

    Args:
        metrics: the content of ``reports/metrics.json``.
        splits: the rows of ``splits.parquet``.
        shortcuts: the content of ``data/shortcuts.json``.
    """
    dangers = [_below_floor(metrics), _near_chance(metrics)]
    careful = [_demo(splits), _random(metrics), _allowed(metrics), _unseen(metrics), _blind(metrics), _too_few(metrics), _error(metrics)]
    return [caution for caution in (*dangers, *careful, *_leaks(shortcuts)) if caution]


def announce(found: list[Caveat]) -> None:
    """Write them into the log, those of level ``danger`` in a block that can't be overlooked."""
    for caution in found:
        text = f"{caution.title}: {caution.text}"
        if caution.level == "danger":
            line = "!" * 100
            text = f"\n{line}\n!! {caution.title.upper()}\n!! {caution.text}\n{line}"
        _log.warning(text)


def _below_floor(metrics: dict[str, Any]) -> Caveat | None:
    if not metrics["below_baseline"]:
        return None
    reached, baseline = metrics["test"]["item"]["roc_auc"]["value"], metrics["baseline"]["test"]["item"]["roc_auc"]["value"]
    gap = metrics["gap_to_baseline"]
    margin = "" if gap["low"] is None else f" (difference {gap['value']:+.3f}, 95 % interval {gap['low']:+.3f} to {gap['high']:+.3f})"
    sure = gap["high"] is not None and gap["high"] < 0
    meaning = "The training has made the detector worse than doing without it" if sure else "Nothing shows that the training has helped"
    text = (
        f"ROC-AUC {reached:.3f} on the test items; a logistic regression on the features of the untrained backbone reaches "
        f"{baseline:.3f}{margin}. {meaning}: don't put it into use."
    )
    return Caveat("danger", "Below its baseline", text)


def _near_chance(metrics: dict[str, Any]) -> Caveat | None:
    """Where generators were held out and the interval of the mean ROC-AUC holds 0.5."""
    macro = metrics["held_out"]["macro"] if metrics["held_out"] else None
    if macro is None or macro["low"] is None or macro["low"] > CHANCE:
        return None
    text = (
        f"On generators that its training had not seen, the mean ROC-AUC is {macro['value']:.2f} (95 % interval {macro['low']:.2f} to "
        f"{macro['high']:.2f}; {CHANCE:.2f} is chance). Nothing shows that it recognises media of a generator that it doesn't know."
    )
    return Caveat("danger", "Near chance on unseen generators", text)


def _demo(splits: pd.DataFrame) -> Caveat | None:
    if not (splits["source"].str.startswith(_DEMO) | splits["generator"].str.startswith(_DEMO)).any():
        return None
    text = "The media are rendered by `realframe demo-data`: these figures say nothing of real cameras or real generators."
    return Caveat("caution", "Demo data", text)


def _random(metrics: dict[str, Any]) -> Caveat | None:
    if metrics["weights"] != "random":
        return None
    text = (
        "The backbone began with random weights, not with ImageNet's. The baseline's features come from the same random weights, "
        "so that the baseline is lower than a pretrained backbone would set it."
    )
    return Caveat("caution", "Random weights", text)


def _allowed(metrics: dict[str, Any]) -> Caveat | None:
    if metrics["shortcuts"]["passed"] or not metrics["shortcuts"]["allowed"]:
        return None
    text = (
        "File facts alone tell the classes apart, and the run went on by `shortcuts.allow_shortcuts: true`. The figures may be those of "
        "the files' history; the mark stays on this model for ever."
    )
    return Caveat("caution", "Shortcuts allowed", text)


def _unseen(metrics: dict[str, Any]) -> Caveat | None:
    if metrics["held_out"] and metrics["held_out"]["macro"]["value"] is not None:
        return None
    text = (
        "All figures are of generators that the training has seen, or of too few items of others. On a new generator a detector can be far "
        "worse. `evaluate.leave_one_generator_out: true` measures it where at least two generators have enough items."
    )
    return Caveat("caution", "Not measured on unseen generators", text)


def _blind(metrics: dict[str, Any]) -> Caveat | None:
    rows = metrics["held_out"]["generators"] if metrics["held_out"] else []
    areas = {row["name"]: row["roc_auc"] for row in rows if row["roc_auc"]["low"] is not None}
    blind = [
        f"{name} ({area['value']:.2f}, 95 % interval {area['low']:.2f} to {area['high']:.2f})"
        for name, area in areas.items()
        if area["low"] <= 0.5
    ]
    if not blind:
        return None
    text = f"Trained without them, nothing shows that the detector can do better than guessing (ROC-AUC 0.50) on {', '.join(blind)}."
    return Caveat("caution", "Blind to some unseen generators", text)


def _error(metrics: dict[str, Any]) -> Caveat | None:
    band = metrics["band"]
    if band["error"] <= band["asked"]:
        return None
    text = (
        f"With so few validation items of a class, no error below {band['error']:.0%} can be stated for the verdicts; {band['asked']:.0%} "
        "was asked for."
    )
    return Caveat("caution", "Few validation items", text)


def _too_few(metrics: dict[str, Any]) -> Caveat | None:
    reason = metrics["test"]["item"].get("too_few")
    return Caveat("caution", "Too few test items", f"{reason} The figures below may be luck.") if reason else None


def _leaks(shortcuts: dict[str, Any]) -> list[Caveat]:
    known = {kind: audit for kind, audit in shortcuts["kinds"].items() if "balanced_accuracy" in audit}
    return [
        _leak(kind, audit) if leaks(audit, shortcuts["limit"]) else _rest(kind, audit)
        for kind, audit in known.items()
        if (audit["low"] or 0.0) > CHANCE
    ]


def _rest(kind: str, audit: dict[str, Any]) -> Caveat:
    text = (
        f"{', '.join(list(audit['facts'])[:3])} alone reach a balanced accuracy of {audit['balanced_accuracy']:.2f} "
        f"(95 % interval {audit['low']:.2f} to {audit['high']:.2f}; 0.50 is chance) on the {kind}s: below the limit, but not nothing."
    )
    return Caveat("caution", f"File facts still say something of the {kind}s", text)


def _leak(kind: str, audit: dict[str, Any]) -> Caveat:
    text = (
        f"Without a look at the pictures, facts such as {', '.join(list(audit['facts'])[:3])} tell real {kind}s from AI-generated ones "
        f"with a balanced accuracy of {audit['balanced_accuracy']:.2f} (0.50 is chance). The detector may have learned traces of the "
        "files' history, such as resolution and re-encoding, instead of generation."
    )
    return Caveat("caution", f"File facts give the {kind}s away", text)
