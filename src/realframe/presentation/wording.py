"""Put detections and metrics into words, for pages, reports, the command line and scripts.

Of a detection these are the verdict, its error, its limits and its cautions; of the figures in ``reports/metrics.json`` their names and
explanations. The reader may never have heard of a classifier. A verdict is an estimate, and no sentence states it as a fact.
"""

from realframe.presentation.formatting import bound_probability, format_clock, format_figure, format_percent, format_probability
from realframe.provenance.origin import FileCheck
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import Caution, Detection, Moment

SCOPE = "Not judged: pictures edited only in part, faces swapped into a real video, and sound."
"""What no answer is about; said with every answer."""
RENDERED_MARK = "trained on rendered media"
"""The mark of a version of which training media were rendered for a demonstration."""

VERDICT_NAMES = {"real": "real", "ai-generated": "AI-generated", "uncertain": "uncertain", "not scored": "not scored"}
"""Of each value of ``Detection.verdict`` its name."""
STEP_NAMES = {
    "received": "Received, waiting in the queue",
    "probing": "Reading the file type",
    "decoding": "Decoding frames",
    "scoring": "Scoring the frames",
    "explaining": "Drawing the heatmaps",
    "done": "Done",
}
"""Of each step of a detection that is under way its name."""
CAUTION_TITLES = {
    "quality.damaged": "Slightly damaged",
    "quality.extra-data": "Data behind the end",
    "quality.more-pictures": "Not all pictures scored",
    "quality.interlaced": "Interlaced video",
    "quality.hdr": "Converted from HDR",
    "quality.tiny": "Small picture",
    "quality.compressed": "Heavily compressed",
    "quality.few-frames": "Few frames",
    "quality.unstable": "Changes with size or compression",
    "competence.overridden": "Judged by decision of a reviewer",
}
"""Of each code of a ``Caution`` its title; ``Caution.message`` explains it."""
_VERDICT_CAUTIONS = ("competence.overridden", "quality.unstable")  # that say how the verdict came about, and stand next to it
ABSTENTION_TITLES = {
    "too-few-sources": "No verdict: tested on too few sources",
    "low-roc-auc": "No verdict: too often wrong on new sources",
    "rendered-training": "No verdict: a demo, trained on rendered media",
}
"""Of each code of an ``Abstention`` what a table shows; ``Abstention.reason`` explains it."""
CHECK_NAMES = {
    "content-credentials": "Content credentials (C2PA)",
    "metadata": "Traces of its origin in the metadata",
    "tools": "Names of programs or cameras",
    "damage": "Damage",
}
"""Of each name of a ``FileCheck`` what was looked for."""
CHECK_STATES = {"found": "found", "not-found": "not found", "could-not-check": "could not be checked"}
"""Of each state of a ``FileCheck`` its name."""
CREDENTIAL_STATES = {
    "trusted": "valid signature, and the signer is on the trust list",
    "valid": "valid signature, but the signer is not on the trust list",
    "invalid": "invalid signature, or the file was changed after signing",
}
"""Of each state of content credentials what it means."""
_HEADLINES = {
    "ai-generated": "Looks AI-generated",
    "real": "Looks real",
    "uncertain": "Uncertain",
    "not scored": "Could not be checked",
}
_NO_STATEMENT = 1.0  # the error of a band outside of which no verdict is possible
METRICS = {
    "roc_auc": (
        "ROC-AUC",
        "How often the AI-generated one of a pair, one AI-generated item and one real item, has the higher score. 0.5 is guessing.",
    ),
    "pr_auc": ("PR-AUC", "Average precision over all thresholds."),
    "accuracy": ("Accuracy", "The share of items that are classified correctly."),
    "balanced_accuracy": ("Balanced accuracy", "Accuracy in which both classes count equally, whatever their number of items."),
    "precision": ("Precision", "Of the items called AI-generated, the share that are AI-generated."),
    "recall": ("Recall", "Of the AI-generated items, the share that are found."),
    "f1": ("F1", "The harmonic mean of precision and recall."),
    "mcc": ("MCC", "Matthews correlation of verdict and truth: 0 is guessing, 1 is perfect. The class balance does not inflate it."),
    "eer": ("EER", "Equal error rate: the error at the threshold where both classes have the same error. Lower is better."),
    "log_loss": ("Log loss", "How far the probabilities are from the truth. Lower is better; a constant 0.5 gives 0.69."),
    "brier": ("Brier score", "Mean squared error of the probabilities. Lower is better; a constant 0.5 gives 0.25."),
    "ece": ("ECE", "Calibration error: how far a probability is from the share that is AI-generated. Lower is better."),
}
"""Of each metric its name and a sentence that explains it."""
PERTURBATIONS = {
    "jpeg": ("JPEG recompression", "quality"),
    "blur": ("Gaussian blur", "sigma, pixels"),
    "downscale": ("Scaled down and back", "factor"),
    "crop": ("Center crop", "share of the side"),
    "h264": ("H.264 recompression", "CRF"),
    "noise": ("Gaussian noise", "sigma, of 255"),
}
"""Of each perturbation of the robustness test its name and the unit of its level."""
DIMENSIONS = {
    "generator": "Generator",
    "source": "Source",
    "codec": "Codec",
    "resolution": "Resolution",
    "duration": "Duration",
    "brightness": "Brightness",
}
"""Of each dimension of the slices its name."""


def verdict_headline(detection: Detection) -> str:
    """Return the verdict in a few words."""
    return _HEADLINES[detection.verdict]


def describe_verdict(detection: Detection) -> list[str]:
    """Return what the verdict means, in sentences.

    These are the probability, the error of such a verdict and the most suspicious moment; or why the detector gives no verdict.
    """
    if detection.probability is None:
        return [f"{detection.message} It was not scored; this says nothing about whether it is real."]
    if is_withheld(detection):
        return [describe_basis(detection), "So no probability is shown here. The score is among the details of the file, for experts."]
    sentences = [_describe_probability(detection, detection.probability), _describe_error(detection)]
    if detection.moments:
        sentences.append(_describe_peak(detection, detection.moments[0]))
    return sentences


def describe_limitations(detection: Detection) -> list[str]:
    """Return what the detector cannot judge, in sentences; empty where the file could not be read."""
    if detection.facts is None:
        return []
    kind = detection.facts.kind
    return [
        f"The verdict is an estimate from the picture alone, not proof. It does not tell who made the {kind}, how, or why.",
        *([_describe_frame_count(detection, detection.facts.frames)] if kind == "video" else []),
        f"The detector was trained on images and videos that are either real or AI-generated as a whole. A real {kind} in which a part was "
        "replaced, retouched or edited may look real to it.",
        "It may miss a generator that is not in its training data, and it may call an unusual real picture AI-generated. The stated error "
        "is an average over sources: for files of a single source or generator it may be larger.",
    ]


def is_withheld(detection: Detection) -> bool:
    """Return whether a file was scored, but gets no verdict whatever its probability."""
    return detection.abstention is not None or any(caution.code == "quality.unstable" for caution in detection.cautions)


def probability_to_show(detection: Detection) -> float | None:
    """Return the probability that may stand next to the verdict, from 0.01 to 0.99; None where not scored or without a verdict."""
    return None if detection.probability is None or is_withheld(detection) else bound_probability(detection.probability)


def describe_basis(detection: Detection) -> str:
    """Return how the verdict came about where it is not by the probability alone: why there is none, or who decided that there is one."""
    if detection.abstention:
        return detection.abstention.reason
    return " ".join(caution.message for caution in detection.cautions if caution.code in _VERDICT_CAUTIONS)


def summarize_basis(detection: Detection) -> str:
    """Return the same in a few words, for tables."""
    if detection.abstention:
        return ABSTENTION_TITLES[detection.abstention.code]
    start = "No verdict: " if is_withheld(detection) else ""
    return start + ", ".join(CAUTION_TITLES[caution.code] for caution in detection.cautions if caution.code in _VERDICT_CAUTIONS)


def describe_check(check: FileCheck) -> str:
    """Return the outcome of a check, such as ``Damage: not found``."""
    return f"{CHECK_NAMES[check.name]}: {CHECK_STATES[check.state]}"


def describe_interval(detection: Detection) -> str:
    """Return the 95 % interval of the probability, such as ``80 % to 96 %``; empty where there is none, or no verdict."""
    if detection.interval is None or is_withheld(detection):
        return ""
    low, high = format_probability(detection.interval.low), format_probability(detection.interval.high)
    return low if low == high else f"{low} to {high}"


def describe_band(band: UncertaintyBand) -> str:
    """Return which probabilities lead to which verdict, in a sentence."""
    if band.error >= _NO_STATEMENT:
        return "Every verdict is uncertain."
    low, high = format_probability(band.low), format_probability(band.high)
    return f"Below {low} the verdict is real, above {high} AI-generated, and uncertain in between."


def describe_rule(detection: Detection) -> str:
    """Return by which rule files of this kind get their verdict, in a line; empty where the file was not scored."""
    if detection.facts is None or detection.band is None:
        return ""
    kinds = f"{detection.facts.kind}s"
    if detection.abstention:
        return f"{kinds}: always uncertain"
    if detection.band.error >= _NO_STATEMENT:
        return f"{kinds}: always uncertain, because too few files were there to calibrate the detector"
    low, high, error = format_probability(detection.band.low), format_probability(detection.band.high), format_percent(detection.band.error)
    return f"{kinds}: uncertain from {low} to {high}; otherwise wrong for at most {error} of a class, on average"


def describe_caution(caution: Caution) -> str:
    """Return the title and the message of a caution."""
    return f"{CAUTION_TITLES[caution.code]}: {caution.message}"


def describe_moment(moment: Moment) -> str:
    """Return the time of a moment, such as ``0:03 to 0:07``, or ``0:03`` where it is a single frame."""
    start, end = format_clock(moment.start_s), format_clock(moment.end_s)
    return start if start == end else f"{start} to {end}"


def describe_frame_value(value: float, *, scored: bool) -> str:
    """Return the score of a frame, or its share of the clip's score where the detector scores no single frames."""
    return f"score {format_figure(value)}" if scored else f"{format_percent(value)} of the verdict"


def _describe_probability(detection: Detection, probability: float) -> str:
    kind = detection.facts.kind if detection.facts else "file"
    interval = f" (95\N{NO-BREAK SPACE}% interval: {describe_interval(detection)})" if detection.interval else ""
    return f"The estimated probability that this {kind} is AI-generated is {format_probability(probability)}{interval}."


def _describe_error(detection: Detection) -> str:
    band, verdict = detection.band, detection.verdict
    if band is None or band.error >= _NO_STATEMENT:
        return "There were too few files to calibrate the detector, so it gives no verdict."
    if verdict == "uncertain":
        return "This is neither low nor high enough for a verdict: too many real and AI-generated files have such a probability."
    files, called = ("real", "AI-generated") if verdict == "ai-generated" else ("AI-generated", "real")
    origin = "that it was not trained on" if _is_judged_by_evidence(detection) else "like those that it was calibrated on"
    sources = f"sources {origin}" if files == "real" else f"sources and generators {origin}"
    return f"Of {files} files from {sources}, on average at most {format_percent(band.error)} are called {called} by mistake."


def _is_judged_by_evidence(detection: Detection) -> bool:
    return all(caution.code != "competence.overridden" for caution in detection.cautions)


def _describe_peak(detection: Detection, moment: Moment) -> str:
    if (moment.start_s, moment.end_s) == (detection.frames[0].time_s, detection.frames[-1].time_s):
        return "No part of it stands out: all of it looks suspicious."
    time = describe_moment(moment)
    return f"Its most suspicious moment is {f'from {time}' if ' to ' in time else f'at {time}'}."


def _describe_frame_count(detection: Detection, total: int) -> str:
    return (
        f"The detector scored {detection.frames_analyzed:,} of {total:,} frames and did not listen to the sound: "
        "it cannot notice AI-generated sound or a cloned voice."
    )
