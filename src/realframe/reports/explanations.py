"""Draw explanations of some test items: score or attention over time, and Grad-CAM heatmaps of the frames with the highest values."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from realframe.evaluation.network_scores import ClipScore, ClipScorer, score_frames
from realframe.media.shards import read_shard_frames
from realframe.models import gradcam

_FRAMES_PER_ITEM = 3  # columns of the figure with frames
_ITEMS_PER_GROUP = 2  # items per group: found, missed, false alarm
_BLANK_GRAY = 127  # gray level under the heatmap if media are not shown


@dataclass(frozen=True)
class _ExplainedItem:
    """An item with its frames and the curve by which frames are selected; an empty ``curve_name`` stands for the heatmap itself."""

    title: str
    frames: NDArray[np.uint8]
    times_s: NDArray[np.float64]
    curve: NDArray[np.floating]
    curve_name: str


def draw_explanations(
    model: keras.Model,
    items: pd.DataFrame,
    threshold: float,
    clean_frames_dir: Path,
    batch_size: int,
    scorer: ClipScorer | None,
    *,
    show_media: bool,
) -> Figure:
    """Draw the most confident correct detections and the worst mistakes, one per row: a curve over time, then frames with heatmaps.

    Args:
        model: the detector.
        items: the item table of the test split.
        threshold: the threshold of the detector.
        clean_frames_dir: the folder of clean shards.
        batch_size: frames per call of the model.
        scorer: the scorer of a detector of clips; None if the detector scores frames.
        show_media: draw the heatmap over the frame. Otherwise only the heatmap is shown, and the frame is not recognizable.
    """
    chosen = select_items(items, threshold)
    figure = Figure(figsize=(11, 2.7 * len(chosen)), layout="constrained")
    grid = figure.subplots(len(chosen), 1 + _FRAMES_PER_ITEM, squeeze=False, width_ratios=[1.4, *[1] * _FRAMES_PER_ITEM])
    for panels, (title, row) in zip(grid, chosen, strict=True):
        _draw_row(panels, _load_item(model, title, row, clean_frames_dir, batch_size, scorer), model, show_media)
    return figure


def select_items(items: pd.DataFrame, threshold: float) -> list[tuple[str, pd.Series]]:
    """Return the items to explain with their group: AI-generated items found with the highest scores, and the worst mistakes."""
    fake, called = items["label"] == "fake", items["score"] >= threshold
    groups = (
        ("found", items[fake & called], False),
        ("missed", items[fake & ~called], True),
        ("false alarm", items[~fake & called], False),
    )
    return [
        (name, row)
        for name, rows, ascending in groups
        for _, row in rows.sort_values("score", ascending=ascending, kind="stable").head(_ITEMS_PER_GROUP).iterrows()
    ]


def _load_item(
    model: keras.Model, title: str, row: pd.Series, clean_frames_dir: Path, batch_size: int, scorer: ClipScorer | None
) -> _ExplainedItem:
    frames, _, times = read_shard_frames(clean_frames_dir / f"{row['media_id']}.tar")
    name = row["generator"] or row["source"] or row["label"]
    title = f"{title}: {name}, {row['score']:.2f}"
    if scorer is None:
        return _ExplainedItem(title, frames, times, score_frames(model, frames, batch_size), "score")
    positions = scorer.select_positions(len(frames))
    frames, times = frames[positions], times[positions]
    return _ExplainedItem(title, frames, times, *_clip_curve(scorer.score(frames, positions), len(frames)))


def _clip_curve(scored: ClipScore, count: int) -> tuple[NDArray[np.floating], str]:
    if scored.attention is not None:
        return scored.attention, "attention"
    return np.zeros(count), ""


def _draw_row(panels: NDArray[np.object_], item: _ExplainedItem, model: keras.Model, show_media: bool) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax over axis", UserWarning)  # attention in a clip of one frame
        heat = gradcam.compute_heatmaps(model, item.frames.astype(np.float32))
    values = item.curve if item.curve_name else heat.mean(axis=(1, 2))
    top = np.sort(np.argsort(values, kind="stable")[::-1][:_FRAMES_PER_ITEM])
    _draw_curve(panels[0], item, values, top)
    for panel in panels[1:]:
        panel.axis("off")
    for panel, index in zip(panels[1:], top, strict=False):
        frame = item.frames[index] if show_media else np.full_like(item.frames[index], _BLANK_GRAY)
        panel.imshow(gradcam.overlay_heatmap(frame, heat[index]))
        panel.set_title(f"{item.times_s[index]:.1f} s", fontsize=9)


def _draw_curve(axes: Axes, item: _ExplainedItem, values: NDArray[np.floating], top: NDArray[np.int64]) -> None:
    axes.plot(item.times_s, values, lw=1.6, marker="o" if len(values) == 1 else "")
    axes.plot(item.times_s[top], values[top], "o", ms=5)
    axes.set_title(item.title, fontsize=10)
    axes.set(xlabel="seconds", ylabel=item.curve_name or "heat")
    axes.set_ylim(bottom=0)
    if len(values) == 1:
        axes.set_xticks(item.times_s)
