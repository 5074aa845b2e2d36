"""Explanations: the most confident detections and the worst mistakes, with curves over time and frames."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from realframe.evaluation.network_scores import ClipScorer, score_frames
from realframe.media.shards import read_shard_frames
from realframe.reports import explanations
from tests.clip_items import build_detector, write_clips

LENGTH = 6
COUNTS = [9, 5, 1, 8, 3, 1, 2, 4]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    write_clips(folder, COUNTS)
    return folder


@pytest.fixture(scope="module")
def frame_model() -> keras.Model:
    return build_detector("gap")


@pytest.fixture(scope="module")
def clip_model() -> keras.Model:
    return build_detector("bilstm_attention", LENGTH)


def items(scores: list[float]) -> pd.DataFrame:
    """Return the items of the shards, alternately real and fake, with these scores."""
    rows = [
        {
            "media_id": f"{number:064x}",
            "label": ("real", "fake")[number % 2],
            "generator": ("", "sora")[number % 2],
            "source": "",
            "score": score,
        }
        for number, score in enumerate(scores)
    ]
    return pd.DataFrame(rows)


MIXED = [0.9, 0.2, 0.95, 0.9, 0.1, 0.95, 0.6, 0.4]
"""The reals 0, 2 and 6 are called fake, the fakes 1 and 7 real."""


def rows_of(figure: Figure) -> list[list]:
    """Return the panels of each row without empty ones; the first is the curve."""
    count = 1 + 3
    panels = figure.axes
    rows = [panels[start : start + count] for start in range(0, len(panels), count)]
    assert all(row[0].lines for row in rows)
    return [[row[0], *(panel for panel in row[1:] if panel.images)] for row in rows]


def test_confident_detections_come_before_the_worst_mistakes() -> None:
    chosen = explanations.select_items(items(MIXED), threshold=0.5)
    assert [(name, int(row["media_id"], 16)) for name, row in chosen] == [
        ("found", 5),
        ("found", 3),
        ("missed", 1),
        ("missed", 7),
        ("false alarm", 2),
        ("false alarm", 0),
    ]


def test_a_score_at_the_threshold_is_called_fake() -> None:
    assert [name for name, _ in explanations.select_items(items([0.5, 0.5]), threshold=0.5)] == ["found", "false alarm"]
    assert [name for name, _ in explanations.select_items(items([0.4, 0.4]), threshold=0.5)] == ["missed"]


def test_a_frame_detector_gets_a_row_for_each_item(frame_model: keras.Model, clean: Path) -> None:
    rows = rows_of(explanations.draw_explanations(frame_model, items(MIXED), 0.5, clean, 4, None, show_media=True))

    chosen = [int(row["media_id"], 16) for _, row in explanations.select_items(items(MIXED), 0.5)]
    assert len(rows) == 6
    assert [row[0].get_title() for row in rows[::2]] == ["found: sora, 0.95", "missed: sora, 0.20", "false alarm: real, 0.95"]
    for number, (curve, *pictures) in zip(chosen, rows, strict=True):
        frames, _, times = read_shard_frames(clean / f"{number:064x}.tar")
        scores = score_frames(frame_model, frames, 32)
        line, dots = curve.lines
        assert curve.get_ylabel() == "score"
        np.testing.assert_allclose(line.get_xdata(), times)
        np.testing.assert_allclose(line.get_ydata(), scores, atol=1e-5)
        top = sorted(scores.argsort()[::-1][:3])
        np.testing.assert_allclose(dots.get_ydata(), scores[top], atol=1e-5)
        assert [panel.get_title() for panel in pictures] == [f"{times[index]:.1f} s" for index in top]


def test_a_clip_detector_with_attention_gets_a_row_for_each_item(clip_model: keras.Model, clean: Path) -> None:
    scorer = ClipScorer(clip_model, LENGTH, 4)
    rows = rows_of(explanations.draw_explanations(clip_model, items(MIXED), 0.5, clean, 4, scorer, show_media=True))

    chosen = [int(row["media_id"], 16) for _, row in explanations.select_items(items(MIXED), 0.5)]
    assert len(rows) == 6
    for number, (curve, *pictures) in zip(chosen, rows, strict=True):
        frames, _, times = read_shard_frames(clean / f"{number:064x}.tar")
        positions = scorer.select_positions(len(frames))
        attention = scorer.score(frames[positions], positions).attention
        assert attention is not None
        assert curve.get_ylabel() == "attention"
        np.testing.assert_allclose(curve.lines[0].get_xdata(), times[positions])
        np.testing.assert_allclose(curve.lines[0].get_ydata(), attention, atol=1e-6)
        assert len(pictures) == min(3, len(frames))
        peak = f"{times[positions][attention.argmax()]:.1f} s"
        assert peak in [panel.get_title() for panel in pictures]


def test_a_clip_detector_without_attention_shows_the_heatmap(clean: Path) -> None:
    model = build_detector("simple_rnn", LENGTH)
    rows = rows_of(explanations.draw_explanations(model, items([0.1, 0.9]), 0.5, clean, 4, ClipScorer(model, LENGTH, 4), show_media=True))
    assert [row[0].get_ylabel() for row in rows] == ["heat"]
    assert len(rows[0]) == 1 + 3


@pytest.mark.parametrize("scores_clips", [False, True])
def test_without_mistakes_the_detections_are_explained(
    scores_clips: bool, frame_model: keras.Model, clip_model: keras.Model, clean: Path
) -> None:
    model = clip_model if scores_clips else frame_model
    scorer = ClipScorer(clip_model, LENGTH, 4) if scores_clips else None
    figure = explanations.draw_explanations(model, items([0.1, 0.9, 0.1, 0.9]), 0.5, clean, 4, scorer, show_media=True)
    assert [row[0].get_title().split(":")[0] for row in rows_of(figure)] == ["found", "found"]


def test_the_figure_can_be_saved_with_items_of_one_frame(clip_model: keras.Model, clean: Path, tmp_path: Path) -> None:
    one_frame = items(MIXED).iloc[[2, 5]]
    figure = explanations.draw_explanations(clip_model, one_frame, 0.5, clean, 4, ClipScorer(clip_model, LENGTH, 4), show_media=True)
    figure.savefig(tmp_path / "figure.png")
    assert [len(row) for row in rows_of(figure)] == [2, 2]
