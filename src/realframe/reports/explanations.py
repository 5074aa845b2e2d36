"""Where a detector looks: its score or attention over time, and Grad-CAM of the frames that weigh most."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from realframe.evaluation.clip_scores import ClipScore, ClipScorer
from realframe.evaluation.frame_scores import score_frames_of
from realframe.media.shards import read_frames
from realframe.models import gradcam

_SHOWN = 3  # frames of an item
_EACH = 2  # items of each sort
_BLANK = 127  # grey in the place of a frame that is not shown


@dataclass(frozen=True)
class _Item:
    """An item to be explained: its frames, and the curve by which they are chosen."""

    title: str
    frames: NDArray[np.uint8]
    times_s: NDArray[np.float64]
    curve: NDArray[np.floating]
    curve_name: str


def draw(
    model: keras.Model, items: pd.DataFrame, at: float, clean: Path, batch_size: int, scorer: ClipScorer | None, *, show_media: bool
) -> Figure:
    """Draw the surest hits and the worst mistakes, a row each: a curve over time, then the frames that weigh most with their heat.

    Args:
        model: the detector.
        items: the item table of the test split.
        at: the threshold.
        clean: the folder of clean shards.
        batch_size: frames per call of the model.
        scorer: of clips; None where the detector scores frames.
        show_media: draw the heat over the frames; else the heat alone, in which nothing of a picture can be seen.
    """
    chosen = pick(items, at)
    figure = Figure(figsize=(11, 2.7 * len(chosen)), layout="constrained")
    grid = figure.subplots(len(chosen), 1 + _SHOWN, squeeze=False, width_ratios=[1.4, *[1] * _SHOWN])
    for panels, (title, row) in zip(grid, chosen, strict=True):
        _row(panels, _looked_at(model, title, row, clean, batch_size, scorer), model, show_media)
    return figure


def pick(items: pd.DataFrame, at: float) -> list[tuple[str, pd.Series]]:
    """Return the items to explain with what they are: AI-generated ones surely found, and the worst mistakes of both sorts."""
    fake, called = items["label"] == "fake", items["score"] >= at
    sorts = (("found", items[fake & called], False), ("missed", items[fake & ~called], True), ("false alarm", items[~fake & called], False))
    return [
        (name, row)
        for name, rows, rising in sorts
        for _, row in rows.sort_values("score", ascending=rising, kind="stable").head(_EACH).iterrows()
    ]


def _looked_at(model: keras.Model, title: str, row: pd.Series, clean: Path, batch_size: int, scorer: ClipScorer | None) -> _Item:
    frames, _, times = read_frames(clean / f"{row['media_id']}.tar")
    name = row["generator"] or row["source"] or row["label"]
    title = f"{title}: {name}, {row['score']:.2f}"
    if scorer is None:
        return _Item(title, frames, times, score_frames_of(model, frames, batch_size), "score")
    positions = scorer.chosen(len(frames))
    frames, times = frames[positions], times[positions]
    return _Item(title, frames, times, *_clip_curve(scorer.score(frames, positions), len(frames)))


def _clip_curve(scored: ClipScore, count: int) -> tuple[NDArray[np.floating], str]:
    if scored.attention is not None:
        return scored.attention, "attention"
    return np.zeros(count), ""


def _row(panels: NDArray[np.object_], item: _Item, model: keras.Model, show_media: bool) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax over axis", UserWarning)  # attention in a clip of one frame
        heat = gradcam.heatmaps(model, item.frames.astype(np.float32))
    weight = item.curve if item.curve_name else heat.mean(axis=(1, 2))
    top = np.sort(np.argsort(weight, kind="stable")[::-1][:_SHOWN])
    _curve(panels[0], item, weight, top)
    for panel in panels[1:]:
        panel.axis("off")
    for panel, at in zip(panels[1:], top, strict=False):
        panel.imshow(gradcam.overlay(item.frames[at] if show_media else np.full_like(item.frames[at], _BLANK), heat[at]))
        panel.set_title(f"{item.times_s[at]:.1f} s", fontsize=9)


def _curve(axes: Axes, item: _Item, weight: NDArray[np.floating], top: NDArray[np.int64]) -> None:
    axes.plot(item.times_s, weight, lw=1.6, marker="o" if len(weight) == 1 else "")
    axes.plot(item.times_s[top], weight[top], "o", ms=5)
    axes.set_title(item.title, fontsize=10)
    axes.set(xlabel="seconds", ylabel=item.curve_name or "heat")
    axes.set_ylim(bottom=0)
    if len(weight) == 1:
        axes.set_xticks(item.times_s)
