"""Name and explain the figures of ``reports/metrics.json`` for people, and find them by their path."""

from collections.abc import Mapping
from typing import Any

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


def get_metric(metrics: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, such as ``slices.codec.0.accuracy.value``. Raises KeyError."""
    value: Any = metrics
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def worst_generator_index(metrics: Mapping[str, Any]) -> int | None:
    """Return the index, among the generators that were left out of training, of the one with the lowest ROC-AUC; None if none has one."""
    areas = [row["roc_auc"]["value"] for row in metrics["held_out"]["generators"]]
    known = [index for index, area in enumerate(areas) if area is not None]
    return min(known, key=lambda index: areas[index], default=None)
