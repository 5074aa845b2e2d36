"""Render the model card: what the detector is, its intended use, its metrics and its limits, as Markdown.

Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from collections.abc import Mapping
from typing import Any

from realframe.presentation.templating import create_template_environment
from realframe.presentation.wording import DIMENSIONS, METRICS, PERTURBATIONS
from realframe.registry.unseen_sources import describe_unseen_sources, list_kinds
from realframe.reports.croissant import list_licenses
from realframe.reports.evaluation_report import ReportData, count_items_by_generator, count_items_by_split

_WEAKEST_SLICES = 6
Row = dict[str, Any]


def render_model_card(data: ReportData) -> str:
    """Return ``reports/card.md``."""
    metrics = data.metrics
    return (
        create_template_environment("realframe.reports", html=False)
        .get_template("card.md")
        .render(
            report=data,
            metrics=metrics,
            rows=_list_figures(metrics),
            unseen_sources=describe_unseen_sources(metrics),
            right_alarms=_describe_right_alarms(metrics),
            verdicts=_count_verdicts(metrics["verdicts"]),
            weakest=_find_weakest_slices(metrics["slices"]),
            drops=_find_largest_drops(metrics["robustness"]),
            counts=count_items_by_split(data.splits),
            generators=[str(row["generator"]) for row in count_items_by_generator(data.splits)],
            licenses=list_licenses(data.splits),
            audit=_describe_audit(metrics["shortcuts"]),
            sampling=_describe_sampling(data.params["extract"]),
            harmonization=_describe_harmonization(data.params["harmonize"]),
        )
    )


def _list_figures(metrics: dict[str, Any]) -> list[tuple[str, Row]]:
    """Return name and figure of each row. Unseen sources come first and unseen generators next: they show what to expect of new files."""
    sources = [row for kind, figures in list_kinds(metrics).items() for row in _list_source_figures(kind, figures)]
    unseen = [("ROC-AUC on unseen generators", metrics["held_out"]["macro"])] if metrics["held_out"] else []
    own = metrics["test"]["item"]
    baseline = metrics["baseline"]["test"]["item"]["roc_auc"]
    named = [(f"{title}, generators of the training", own[name]) for name, (title, _) in METRICS.items()]
    return [*sources, *unseen, *named, ("ROC-AUC of the baseline", baseline)]


def _list_source_figures(kind: str, figures: Mapping[str, Any]) -> list[tuple[str, Row]]:
    """Return the rows of a kind; none if there is no statement about it."""
    if "too_few" in figures:
        return []
    recalls = figures["recall_at"].items()
    named = [(f"Recall at {float(rate):.0%} false positives, {kind}s from unseen sources", recall) for rate, recall in recalls]
    return [(f"ROC-AUC on {kind}s from unseen sources", figures["roc_auc"]), *named]


def _describe_right_alarms(metrics: dict[str, Any]) -> list[str]:
    """Return, for each kind for which it is known, how many of the verdicts ``ai-generated`` would be right, as a sentence."""
    known = {kind: figures["right_alarms"] for kind, figures in list_kinds(metrics).items() if figures.get("right_alarms")}
    return [
        f"Where 1%, 10% or 50% of the {kind}s are AI-generated, {', '.join(f'{right:.0%}' for right in shares.values())} of the verdicts "
        "`ai-generated` would be right."
        for kind, shares in known.items()
    ]


def _count_verdicts(verdicts: dict[str, Any]) -> dict[str, int]:
    counts = {label: sum(verdicts[label].values()) for label in ("real", "fake")}
    return {
        "total": sum(counts.values()),
        "reals": counts["real"],
        "fakes": counts["fake"],
        "uncertain": verdicts["real"]["uncertain"] + verdicts["fake"]["uncertain"],
        "alarms": verdicts["real"]["ai-generated"],
        "missed": verdicts["fake"]["real"],
    }


def _find_weakest_slices(slices: dict[str, list[Row]]) -> list[Row]:
    """Return the slices with the lowest accuracy, of those with enough items."""
    known = [{**row, "dimension": DIMENSIONS[name].lower()} for name, rows in slices.items() for row in rows if "too_few" not in row]
    return sorted(known, key=lambda row: row["accuracy"]["value"])[:_WEAKEST_SLICES]


def _find_largest_drops(robustness: dict[str, Any] | None) -> list[Row]:
    """Return, for each perturbation, the level with the largest drop."""
    curves = robustness["curves"] if robustness else {}
    worst = {name: max(points, key=lambda point: point["drop"]["value"] or 0.0) for name, points in curves.items()}
    return [{**point, "name": f"{PERTURBATIONS[name][0]}, {PERTURBATIONS[name][1]} {point['level']:g}"} for name, point in worst.items()]


def _describe_audit(mark: dict[str, bool]) -> str:
    if mark["passed"]:
        return "passed: file facts alone do not separate the classes"
    if mark["allowed"]:
        return "NOT passed, but allowed to continue: file facts alone separate the classes, and the detector may have learned them"
    return "not passed"


def _describe_sampling(extract: dict[str, Any]) -> str:
    ((rule, number),) = extract["sampling"].items()
    words = {
        "fps": f"{number:g} frame{'' if number == 1 else 's'} per second of a video",
        "every": f"every {number:g}th frame",
        "uniform": f"{number:g} evenly spaced frames",
    }
    return f"{words[rule]}, at most {extract['max_frames']}"


def _describe_harmonization(harmonization: dict[str, Any]) -> str:
    """Describe what happens to each file before sampling; empty if nothing does."""
    parts = [f"{kind}s are cropped to the central {side} x {side} pixels" for kind, side in harmonization["crop"].items() if side]
    if harmonization["seconds"]:
        parts.append(f"videos are cut to {harmonization['seconds']:g} s")
    if harmonization["reencode"]:
        parts.append(f"each file is re-encoded (H.264 at CRF {harmonization['crf']}, JPEG at quality {harmonization['jpeg_quality']})")
    return ", ".join(parts)
