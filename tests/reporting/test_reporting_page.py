"""The report: one file, the figures of metrics.json, and what speaks against them at the top."""

import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bonafide.evaluation import cautions
from bonafide.evaluation.evidence import assemble
from bonafide.media.shards import write_shard
from bonafide.models.aggregate import item_table
from bonafide.params import resolve
from bonafide.reporting import page as report
from bonafide.reporting import plots

SHORTCUTS = {
    "image": {"items": 60, "real": 30, "fake": 30, "folds": 5, "balanced_accuracy": 0.55, "facts": {"bytes": 0.54}},
    "video": {"items": 60, "real": 30, "fake": 30, "folds": 5, "balanced_accuracy": 0.93, "facts": {"fps": 0.9, "bytes": 0.6}},
}
HISTORY = pd.DataFrame(
    {
        "phase": [1, 1, 2],
        "epoch": [1, 2, 1],
        "loss": [0.7, 0.5, 0.4],
        "val_loss": [0.7, 0.6, 0.6],
        "auc": [0.5, 0.7, 0.8],
        "val_auc": [0.5] * 3,
    }
)


def _metrics(predictions: pd.DataFrame, splits: pd.DataFrame, weights: str = "imagenet") -> dict[str, Any]:
    return {"recipe": "efficientnetb0", "weights": weights, **assemble(predictions, splits, "mean", 200, 0)}


def _render(predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, folder: Path) -> tuple[str, dict[str, Any]]:
    metrics = _metrics(predictions, splits)
    test = predictions[predictions["split"] == "test"]
    items = item_table(test, "mean")
    for media_id, frames in test.groupby("media_id"):
        _write_shard(folder / "clean" / f"{media_id}.tar", len(frames))
    evidence = report.Evidence(
        metrics=metrics,
        splits=splits,
        items=items,
        frames=test,
        shortcuts=SHORTCUTS,
        params=resolve(root / "params.yaml", root / "recipes").params.model_dump(mode="json", exclude_none=True),
        lineage={"git commit": "deadbeef", "MLflow run": "0123"},
        cautions=cautions.cautions_of(metrics, splits, SHORTCUTS),
    )
    return report.render(evidence, plots.draw_all(folder / "figures", items, HISTORY, metrics), folder / "clean"), metrics


def _write_shard(path: Path, frames: int) -> None:
    shades = [Image.new("RGB", (32, 32), (40 * number, 90, 120)) for number in range(frames)]
    written = [io.BytesIO() for _ in shades]
    for shade, buffer in zip(shades, written, strict=True):
        shade.save(buffer, "PNG")
    members = [(f"{number:05d}.png", buffer.getvalue()) for number, buffer in enumerate(written)]
    write_shard(path, {"times_s": list(range(frames)), "size": 32}, members)


@pytest.fixture
def rendered(good: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    return _render(good, splits, root, tmp_path)


def test_it_shows_the_figures_of_metrics_json(rendered: tuple[str, dict[str, Any]]) -> None:
    html, metrics = rendered
    for row in (metrics["test"]["item"], metrics["floor"]["test"]["item"], metrics["test"]["frame"], metrics["val"]["item"]):
        for name in report.METRIC_WORDS:
            cell = f"<b>{row[name]['value']:.2f}</b><small>{row[name]['low']:.2f} to {row[name]['high']:.2f}</small>"
            assert cell in html, name
    for number in (metrics["threshold"], *metrics["counts"]["test"]["item"].values()):
        assert (f"{number:.2f}" if isinstance(number, float) else str(number)) in html


def test_it_loads_nothing_from_anywhere(rendered: tuple[str, dict[str, Any]]) -> None:
    html, _ = rendered
    assert "//" not in re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]+", "", html)
    assert not re.search(r"""(?:src|href)=["'](?!data:image/)""", html)
    assert "<script" not in html
    assert html.count("data:image/png;base64,") == 6


def test_every_picture_is_a_readable_png(good: pd.DataFrame, splits: pd.DataFrame, tmp_path: Path) -> None:
    items = item_table(good[good["split"] == "test"], "mean")
    drawn = plots.draw_all(tmp_path, items, HISTORY, _metrics(good, splits))
    assert set(drawn) == {"roc", "precision_recall", "confusion", "scores", "training", "generators"}
    for path in drawn.values():
        pixels = np.asarray(Image.open(path).convert("L"))
        assert min(pixels.shape) > 200
        assert pixels.std() > 5


def test_equal_figures_give_equal_pictures(good: pd.DataFrame, splits: pd.DataFrame, tmp_path: Path) -> None:
    items, metrics = item_table(good[good["split"] == "test"], "mean"), _metrics(good, splits)
    first, second = (plots.draw_all(tmp_path / name, items, HISTORY, metrics) for name in ("a", "b"))
    assert all(first[name].read_bytes() == second[name].read_bytes() for name in first)


def test_below_the_floor_is_a_red_banner(bad: pd.DataFrame, good: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> None:
    html, metrics = _render(bad, splits, root, tmp_path / "bad")
    banner = re.search(r'<div class="banner danger" role="alert">.*?</div>', html, re.DOTALL)
    assert banner
    assert "Below its floor" in banner[0]
    assert f"{metrics['floor']['test']['item']['roc_auc']['value']:.3f}" in banner[0]
    assert "banner danger" not in _render(good, splits, root, tmp_path / "good")[0]


def test_the_worst_mistake_comes_first(bad: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> None:
    html, metrics = _render(bad, splits, root, tmp_path)
    items = item_table(bad[bad["split"] == "test"], "mean")
    wrong = np.where(items["label"] == "fake", metrics["threshold"] - items["score"], items["score"] - metrics["threshold"])
    worst = items["media_id"].iloc[int(np.argmax(wrong))]
    path = splits.set_index("media_id")["path"][worst]
    assert re.search(r"a frame of ([^\"]+)\"", html)[1] == path  # type: ignore[index]


def test_names_from_outside_are_only_text(good: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    renamed = {"sora": evil}
    html, _ = _render(good.replace({"generator": renamed}), splits.replace({"generator": renamed}), root, tmp_path)
    assert evil not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("change", "title"),
    [({"weights": "random"}, "Random weights"), ({"below_floor": True}, "Below its floor"), ({}, "File facts give the videos away")],
)
def test_reasons_for_distrust(good: pd.DataFrame, splits: pd.DataFrame, change: dict[str, Any], title: str) -> None:
    found = cautions.cautions_of(_metrics(good, splits) | change, splits, SHORTCUTS)
    assert title in [caution.title for caution in found]
    assert "File facts give the images away" not in [caution.title for caution in found]


def test_demo_data_is_named(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    demo = splits.replace({"source": {"camera": "demo-phone"}})
    titles = [[caution.title for caution in cautions.cautions_of(_metrics(good, table), table, {})] for table in (demo, splits)]
    assert titles == [["Demo data"], []]


def test_below_the_floor_is_loud_in_the_log(bad: pd.DataFrame, splits: pd.DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        cautions.announce(cautions.cautions_of(_metrics(bad, splits), splits, {}))
    assert "!! BELOW ITS FLOOR" in caplog.text
    assert "!" * 80 in caplog.text


def test_figures_are_not_rounded_up_to_perfect() -> None:
    assert [report.figure(value) for value in (1.0, 0.9991, 0.87, None)] == ["1.00", ">0.99", "0.87", "\N{EN DASH}"]
    assert report.between({"value": 1.0, "low": None, "high": None}) == ""


def test_metrics_are_json(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    assert json.loads(json.dumps(_metrics(good, splits), allow_nan=False))["recipe"] == "efficientnetb0"
