"""Find the caveats of an evaluation: reasons to distrust its figures. The report and the model card list them first."""

import logging
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from realframe.data import manifest
from realframe.data.shortcut_audit import has_shortcut

CHANCE_LEVEL = 0.5
"""ROC-AUC and balanced accuracy of guessing."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caveat:
    """A reason to distrust the figures.

    Attributes:
        level: ``danger``: do not use the detector; ``warning``: interpret its figures with care.
        title: a few words.
        text: one or two sentences with the figures.
    """

    level: Literal["danger", "warning"]
    title: str
    text: str


def find_caveats(metrics: dict[str, Any], splits: pd.DataFrame, shortcuts: dict[str, Any]) -> list[Caveat]:
    """Return all caveats, those of level ``danger`` first.

    Args:
        metrics: the content of ``reports/metrics.json``.
        splits: the rows of ``splits.parquet``.
        shortcuts: the content of ``data/shortcuts.json``.
    """
    kinds = (metrics["cross_source"] or {}).get("kinds", {})
    dangers = [
        *(_check_unseen_sources(kind, figures) for kind, figures in kinds.items()),
        _check_baseline(metrics),
        _check_unseen_mean(metrics),
    ]
    warnings = [
        _check_demo_data(splits),
        _check_random_weights(metrics),
        _check_allowed_shortcuts(metrics),
        *_check_sources_measured(kinds),
        *(_check_real_sources(kind, figures) for kind, figures in kinds.items()),
        _check_unseen_measured(metrics),
        _check_each_unseen(metrics),
        _check_item_count(metrics),
        _check_stated_error(metrics),
    ]
    return [caveat for caveat in (*dangers, *warnings, *_check_file_facts(shortcuts)) if caveat]


def log_caveats(caveats: list[Caveat]) -> None:
    """Log the caveats as warnings, those of level ``danger`` in a conspicuous block."""
    for caveat in caveats:
        text = f"{caveat.title}: {caveat.text}"
        if caveat.level == "danger":
            line = "!" * 100
            text = f"\n{line}\n!! {caveat.title.upper()}\n!! {caveat.text}\n{line}"
        _log.warning(text)


def _check_baseline(metrics: dict[str, Any]) -> Caveat | None:
    if not metrics["below_baseline"]:
        return None
    roc_auc, baseline = metrics["test"]["item"]["roc_auc"]["value"], metrics["baseline"]["test"]["item"]["roc_auc"]["value"]
    gap = metrics["gap_to_baseline"]
    margin = "" if gap["low"] is None else f" (difference {gap['value']:+.3f}, 95 % interval {gap['low']:+.3f} to {gap['high']:+.3f})"
    is_significant = gap["high"] is not None and gap["high"] < 0
    meaning = "Training made the detector worse than its baseline" if is_significant else "There is no evidence that training helped"
    text = (
        f"ROC-AUC {roc_auc:.3f} on the test items; a logistic regression on the features of the untrained backbone reaches "
        f"{baseline:.3f}{margin}. {meaning}: do not use it."
    )
    return Caveat("danger", "Below its baseline", text)


def _check_unseen_sources(kind: str, figures: dict[str, Any]) -> Caveat | None:
    """Check that the interval of the ROC-AUC on unseen sources excludes 0.5."""
    roc_auc = figures["roc_auc"]
    if roc_auc["low"] is None or roc_auc["low"] > CHANCE_LEVEL:
        return None
    text = (
        f"On {kind}s from unseen sources the ROC-AUC is {roc_auc['value']:.2f} (95 % interval {roc_auc['low']:.2f} to "
        f"{roc_auc['high']:.2f}; {CHANCE_LEVEL:.2f} is chance). It is not shown to tell real {kind}s of a new source from others."
    )
    return Caveat("danger", f"Near chance on {kind}s from unseen sources", text)


def _check_sources_measured(kinds: dict[str, dict[str, Any]]) -> list[Caveat]:
    """Return a caveat for each kind without a statement about unseen sources, or one if they were not measured at all."""
    if not kinds:
        text = "Nothing is known about files from sources that the training has not seen. On these a detector can be much worse."
        return [Caveat("warning", "Not measured on unseen sources", text)]
    return [
        Caveat("warning", f"No statement about {kind}s from unseen sources", figures["too_few"])
        for kind, figures in kinds.items()
        if "too_few" in figures
    ]


def _check_real_sources(kind: str, figures: dict[str, Any]) -> Caveat | None:
    between = figures["real_versus_real"]
    if not between["is_high"]:
        return None
    first, second = between["highest"]["sources"]
    text = (
        f"The features of the backbone tell two sources of real {kind}s apart with a mean ROC-AUC of {between['value']:.2f} (over "
        f"{between['pairs']} pairs; {between['highest']['value']:.2f} for {first} and {second}). The detector may know sources instead of "
        "traces of generation."
    )
    return Caveat("warning", f"Sources of real {kind}s are told apart", text)


def _check_unseen_mean(metrics: dict[str, Any]) -> Caveat | None:
    """Check that the interval of the mean ROC-AUC on held-out generators excludes 0.5."""
    macro = metrics["held_out"]["macro"] if metrics["held_out"] else None
    if macro is None or macro["low"] is None or macro["low"] > CHANCE_LEVEL:
        return None
    text = (
        f"On unseen generators the mean ROC-AUC is {macro['value']:.2f} (95 % interval {macro['low']:.2f} to "
        f"{macro['high']:.2f}; {CHANCE_LEVEL:.2f} is chance). It is not shown to recognize media of an unseen generator."
    )
    return Caveat("danger", "Near chance on unseen generators", text)


def _check_demo_data(splits: pd.DataFrame) -> Caveat | None:
    if not manifest.find_rendered(splits).any():
        return None
    text = "The media were rendered by `realframe demo-data`: the figures say nothing about real cameras or real generators."
    return Caveat("warning", "Demo data", text)


def _check_random_weights(metrics: dict[str, Any]) -> Caveat | None:
    if metrics["weights"] != "random":
        return None
    text = (
        "The backbone was initialized with random weights, not with ImageNet weights. The baseline uses the same random weights, so it is "
        "weaker than the baseline of a pretrained backbone."
    )
    return Caveat("warning", "Random weights", text)


def _check_allowed_shortcuts(metrics: dict[str, Any]) -> Caveat | None:
    if metrics["shortcuts"]["passed"] or not metrics["shortcuts"]["allowed"]:
        return None
    text = (
        "File facts alone separate the classes, and the run continued because of `shortcuts.allow_shortcuts: true`. The detector may have "
        "learned how the files were processed instead of how they were generated. The model keeps this mark."
    )
    return Caveat("warning", "Shortcuts allowed", text)


def _check_unseen_measured(metrics: dict[str, Any]) -> Caveat | None:
    if metrics["held_out"] and metrics["held_out"]["macro"]["value"] is not None:
        return None
    text = (
        "All figures are for generators of the training, or other generators have too few items. On an unseen generator a detector can be "
        "much worse. Set `evaluate.leave_one_generator_out: true` to measure it; at least two generators need enough items."
    )
    return Caveat("warning", "Not measured on unseen generators", text)


def _check_each_unseen(metrics: dict[str, Any]) -> Caveat | None:
    rows = metrics["held_out"]["generators"] if metrics["held_out"] else []
    roc_aucs = {row["name"]: row["roc_auc"] for row in rows if row["roc_auc"]["low"] is not None}
    failed = [
        f"{name} ({roc_auc['value']:.2f}, 95 % interval {roc_auc['low']:.2f} to {roc_auc['high']:.2f})"
        for name, roc_auc in roc_aucs.items()
        if roc_auc["low"] <= CHANCE_LEVEL
    ]
    if not failed:
        return None
    text = f"If trained without them, the detector is not measurably better than guessing (ROC-AUC 0.50) on: {', '.join(failed)}."
    return Caveat("warning", "Fails on some unseen generators", text)


def _check_stated_error(metrics: dict[str, Any]) -> Caveat | None:
    larger = {
        kind: rule["band"]
        for kind, rule in metrics["verdict"].items()
        if rule["competence"]["is_competent"] and rule["band"]["error"] > rule["band"]["requested_error"]
    }
    if not larger:
        return None
    stated = ", ".join(f"{band['error']:.0%} for {kind}s" for kind, band in larger.items())
    requested = next(iter(larger.values()))["requested_error"]
    text = f"With so few sources per class, the stated error of the verdicts is {stated} instead of the requested {requested:.0%}."
    return Caveat("warning", "Few sources", text)


def _check_item_count(metrics: dict[str, Any]) -> Caveat | None:
    reason = metrics["test"]["item"].get("too_few")
    return Caveat("warning", "Too few test items", f"{reason} The figures may be due to chance.") if reason else None


def _check_file_facts(shortcuts: dict[str, Any]) -> list[Caveat]:
    known = {kind: audit for kind, audit in shortcuts["kinds"].items() if "balanced_accuracy" in audit}
    return [
        _leak_caveat(kind, audit) if has_shortcut(audit, shortcuts["limit"]) else _weak_leak_caveat(kind, audit)
        for kind, audit in known.items()
        if (audit["low"] or 0.0) > CHANCE_LEVEL
    ]


def _weak_leak_caveat(kind: str, audit: dict[str, Any]) -> Caveat:
    text = (
        f"{', '.join(list(audit['facts'])[:3])} alone reach a balanced accuracy of {audit['balanced_accuracy']:.2f} "
        f"(95 % interval {audit['low']:.2f} to {audit['high']:.2f}; 0.50 is chance) on the {kind}s: below the limit, but above chance."
    )
    return Caveat("warning", f"File facts are informative for the {kind}s", text)


def _leak_caveat(kind: str, audit: dict[str, Any]) -> Caveat:
    text = (
        f"File facts such as {', '.join(list(audit['facts'])[:3])} alone separate real {kind}s from AI-generated ones with a balanced "
        f"accuracy of {audit['balanced_accuracy']:.2f} (0.50 is chance). The detector may have learned how the files were processed, such "
        "as resolution and re-encoding, instead of how they were generated."
    )
    return Caveat("warning", f"File facts reveal the class of the {kind}s", text)
