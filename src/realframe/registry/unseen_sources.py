"""Say in sentences what ``metrics.json`` states about files from sources that the training has not seen, the same on every page."""

from collections.abc import Mapping
from typing import Any

from realframe.registry.model_version import format_metric_with_interval

NOT_MEASURED = "Unseen sources: not measured."
PARTS = ("source", "generator")
WHAT_IS_WRONG = {"false_positive_rate": "of its real {kind}s called AI-generated", "miss_rate": "of its {kind}s called real"}
"""What the share of a worst source or generator counts."""


def list_kinds(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the figures of each kind on unseen sources; empty if they were not measured."""
    return dict((metrics.get("cross_source") or {}).get("kinds", {}))


def describe_unseen_sources(metrics: Mapping[str, Any]) -> list[str]:
    """Return one sentence per kind: the ROC-AUC on unseen sources and the worst source and generator, or why there is no statement."""
    return [describe_kind(kind, figures) for kind, figures in list_kinds(metrics).items()] or [NOT_MEASURED]


def describe_kind(kind: str, figures: Mapping[str, Any]) -> str:
    """Return the sentence of one kind."""
    if "too_few" in figures:
        return f"{kind.capitalize()}s from unseen sources: no statement. {figures['too_few']}"
    worst = [f"worst {name} {describe_worst(kind, figures[f'worst_{name}'])}" for name in PARTS if figures[f"worst_{name}"]]
    named = f"; {', '.join(worst)}" if worst else ""
    return f"{kind.capitalize()}s from unseen sources: ROC-AUC {format_metric_with_interval(figures['roc_auc'])}{named}."


def describe_worst(kind: str, worst: Mapping[str, Any]) -> str:
    """Return the worst source or generator in words, such as ``lab (62% of its real images called AI-generated)``."""
    return f"{worst['name']} ({worst['value']:.0%} {WHAT_IS_WRONG[worst['what']].format(kind=kind)})"


def format_roc_auc(figures: Mapping[str, Any] | None) -> str:
    """Return the ROC-AUC of one kind with its interval; ``no statement`` or ``not measured`` where there is none."""
    if figures is None:
        return "not measured"
    return "no statement" if "too_few" in figures else format_metric_with_interval(figures["roc_auc"])
