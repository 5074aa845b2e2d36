"""The model card: what the detector is, what it is for, how good it is and where it fails, as Markdown.

Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from typing import Any

from realframe.presentation.formatting import DIMENSION_WORDS, METRIC_WORDS, PERTURBATION_WORDS
from realframe.reports.croissant import licences
from realframe.reports.report_data import ReportData, count_table, environment, generator_table

_WEAKEST = 6
Row = dict[str, Any]


def render(evidence: ReportData) -> str:
    """Return ``reports/card.md``."""
    metrics = evidence.metrics
    return (
        environment(html=False)
        .get_template("card.md")
        .render(
            evidence=evidence,
            metrics=metrics,
            rows=_figures(metrics),
            verdicts=_verdicts(metrics["verdicts"]),
            weakest=_weakest(metrics["slices"]),
            drops=_drops(metrics["robustness"]),
            counts=count_table(evidence.splits),
            generators=[str(row["generator"]) for row in generator_table(evidence.splits)],
            licences=licences(evidence.splits),
            audit=_audit(metrics["shortcuts"]),
            sampling=_sampling(evidence.params["extract"]),
            harmonization=_harmonize(evidence.params["harmonize"]),
        )
    )


def _figures(metrics: dict[str, Any]) -> list[tuple[str, Row]]:
    """Name and figure of each row; the held-out one first, because it is the one that holds for what comes."""
    unseen = [("ROC-AUC on unseen generators", metrics["held_out"]["macro"])] if metrics["held_out"] else []
    own = metrics["test"]["item"]
    baseline = metrics["baseline"]["test"]["item"]["roc_auc"]
    named = [(f"{words}, generators of the training", own[name]) for name, (words, _) in METRIC_WORDS.items()]
    return [*unseen, *named, ("ROC-AUC of the baseline", baseline)]


def _verdicts(said: dict[str, Any]) -> dict[str, int]:
    counts = {label: sum(said[label].values()) for label in ("real", "fake")}
    return {
        "total": sum(counts.values()),
        "reals": counts["real"],
        "fakes": counts["fake"],
        "uncertain": said["real"]["uncertain"] + said["fake"]["uncertain"],
        "alarms": said["real"]["ai-generated"],
        "missed": said["fake"]["real"],
    }


def _weakest(slices: dict[str, list[Row]]) -> list[Row]:
    """The slices in which the fewest items are called right, of those with enough items to say."""
    known = [{**row, "dimension": DIMENSION_WORDS[name].lower()} for name, rows in slices.items() for row in rows if "too_few" not in row]
    return sorted(known, key=lambda row: row["right"]["value"])[:_WEAKEST]


def _drops(robustness: dict[str, Any] | None) -> list[Row]:
    """Of each change of a file the level that costs most."""
    curves = robustness["curves"] if robustness else {}
    worst = {name: max(points, key=lambda point: point["drop"]["value"] or 0.0) for name, points in curves.items()}
    return [
        {**point, "name": f"{PERTURBATION_WORDS[name][0]}, {PERTURBATION_WORDS[name][1]} {point['level']:g}"}
        for name, point in worst.items()
    ]


def _audit(mark: dict[str, bool]) -> str:
    if mark["passed"]:
        return "passed: file facts alone don't tell the classes apart"
    if mark["allowed"]:
        return "NOT passed, and allowed to go on: file facts alone tell the classes apart, and the detector may have learned them"
    return "not passed"


def _sampling(extract: dict[str, Any]) -> str:
    ((rule, number),) = extract["sampling"].items()
    words = {
        "fps": f"{number:g} frame{'' if number == 1 else 's'} per second of a video",
        "every": f"every {number:g}th frame",
        "uniform": f"{number:g} frames, evenly",
    }
    return f"{words[rule]}, at most {extract['max_frames']}"


def _harmonize(harmonization: dict[str, Any]) -> str:
    """What is done to each file before anything else, in words; empty where nothing is."""
    parts = [f"the middle {side} x {side} pixels of {kind}s are cut out" for kind, side in harmonization["crop"].items() if side]
    if harmonization["seconds"]:
        parts.append(f"videos are cut to {harmonization['seconds']:g} s")
    if harmonization["reencode"]:
        parts.append(f"each file is encoded anew (H.264 at CRF {harmonization['crf']}, JPEG at quality {harmonization['jpeg_quality']})")
    return ", ".join(parts)
