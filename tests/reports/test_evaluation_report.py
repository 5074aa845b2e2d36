"""The evaluation report and the model card: one file, the figures of metrics.json, caveats first."""

import io
import json
import logging
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from realframe.config import resolve_params
from realframe.evaluation import caveats
from realframe.markdown import escape_markdown
from realframe.media.shards import write_shard
from realframe.models.aggregate import aggregate_by_item
from realframe.presentation.formatting import format_figure, format_interval, format_percent
from realframe.presentation.templating import get_metric
from realframe.presentation.wording import METRICS
from realframe.reports import evaluation_report, model_card, plots
from realframe.reports.evaluation_report import ReportData
from tests.markdown_rendering import BARE_LINK, HOSTILE, render
from tests.scored_items import make_cross_source, make_metrics, make_predictions, make_splits

SHORTCUTS = {
    "kinds": {
        "image": {
            "items": 60,
            "real": 30,
            "fake": 30,
            "folds": 5,
            "balanced_accuracy": 0.55,
            "low": 0.4,
            "high": 0.7,
            "facts": {"bytes": 0.54},
        },
        "video": {
            "items": 60,
            "real": 30,
            "fake": 30,
            "folds": 5,
            "balanced_accuracy": 0.93,
            "low": 0.8,
            "high": 1.0,
            "facts": {"fps": 0.9, "bytes": 0.6},
        },
    },
    "limit": 0.7,
    "passed": False,
    "allowed": True,
}
HISTORY = pd.DataFrame(
    {
        "phase": [1, 1, 2],
        "epoch": [1, 2, 1],
        "loss": [0.7, 0.5, 0.4],
        "val_loss": [0.7, 0.6, 0.6],
        "auc": [0.5, 0.7, 0.8],
        "val_auc": [0.5] * 3,
        "accuracy": [0.5, 0.6, 0.7],
        "val_accuracy": [0.5, 0.6, 0.6],
        "learning_rate": [1e-3, 1e-3, 1e-4],
    }
)


def _make_held_out(splits: pd.DataFrame) -> pd.DataFrame:
    """Scores of detectors that were trained without one of the generators."""
    random = np.random.default_rng(1)
    parts = []
    for name in sorted(set(splits["generator"]) - {""}):
        chosen = splits[splits["split"].isin(("val", "test")) & splits["generator"].isin(("", name))]
        scores = 0.3 * (chosen["label"] == "fake") + 0.7 * random.uniform(size=len(chosen))
        parts.append(chosen.assign(held_out=name, score=scores))
    return pd.concat(parts, ignore_index=True)


def _make_robustness(splits: pd.DataFrame) -> pd.DataFrame:
    test = splits[splits["split"] == "test"]
    random = np.random.default_rng(2)
    parts = []
    for name, level, quality in (("none", 0, 0.6), ("jpeg", 90, 0.5), ("jpeg", 30, 0.1), ("noise", 20, 0.2)):
        scores = quality * (test["label"] == "fake") + (1 - quality) * random.uniform(size=len(test))
        parts.append(test.assign(perturbation=name, level=float(level), score=scores))
    return pd.concat(parts, ignore_index=True)


def _make_metrics(predictions: pd.DataFrame, splits: pd.DataFrame, weights: str = "imagenet", **tables: Any) -> dict[str, Any]:
    origin = {"recipe": "efficientnetb0", "weights": weights, "dataset": "0123456789ab"}
    return {**origin, **make_metrics(predictions, splits, 200, 0, shortcuts=SHORTCUTS, **tables)}


def _make_report_data(predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, show_media: bool = True, **tables: Any) -> ReportData:
    metrics = _make_metrics(predictions, splits, **tables)
    test = predictions[predictions["split"] == "test"]
    params = resolve_params(root / "params.yaml", root / "recipes", overrides={"evaluate.show_media": show_media}).params
    return ReportData(
        metrics=metrics,
        splits=splits,
        items=aggregate_by_item(test, "mean"),
        frames=test,
        shortcuts=SHORTCUTS,
        params=params.model_dump(mode="json", exclude_none=True),
        lineage={"recipe": "efficientnetb0", "git commit": "deadbeef", "MLflow run": "0123"},
        caveats=caveats.find_caveats(metrics, splits, SHORTCUTS),
    )


def _render(
    predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, folder: Path, show_media: bool = True
) -> tuple[str, dict[str, Any]]:
    tables = {"held_out": _make_held_out(splits), "cross_source": make_cross_source(splits), "robustness": _make_robustness(splits)}
    data = _make_report_data(predictions, splits, root, show_media, **tables)
    for media_id, frames in data.frames.groupby("media_id"):
        _write_shard(folder / "clean" / f"{media_id}.tar", len(frames))
    figures = plots.draw_plots(folder / "figures", data, HISTORY)
    figures["explanations"] = figures["roc"]  # drawing it needs a model
    return evaluation_report.render_evaluation_report(data, figures, folder / "clean"), data.metrics


def _write_shard(path: Path, frames: int) -> None:
    shades = [Image.new("RGB", (32, 32), (40 * number, 90, 120)) for number in range(frames)]
    written = [io.BytesIO() for _ in shades]
    for shade, buffer in zip(shades, written, strict=True):
        shade.save(buffer, "PNG")
    members = [(f"{number:05d}.png", buffer.getvalue()) for number, buffer in enumerate(written)]
    write_shard(path, {"times_s": list(range(frames)), "size": 32}, members)


@pytest.fixture(scope="module")
def rendered(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    splits = make_splits()
    return _render(make_predictions(splits, model=2.5, baseline=1.0), splits, root, tmp_path_factory.mktemp("report"))


def test_the_report_shows_the_figures_of_metrics_json(rendered: tuple[str, dict[str, Any]]) -> None:
    html, metrics = rendered
    shown = dict(re.findall(r'data-figure="([^"]+)" data-as="figure">([^<]+)<', html))
    for level in ("test.item", "baseline.test.item", "test.frame", "val.item"):
        for name in METRICS:
            entry = get_metric(metrics, f"{level}.{name}")
            assert shown[f"{level}.{name}.value"] == format_figure(entry["value"])
            assert f"<small>{format_interval(entry)}</small>" in html
    for number in (metrics["threshold"], *metrics["counts"]["test"]["item"].values()):
        assert (f"{number:.2f}" if isinstance(number, float) else str(number)) in html


def test_the_report_loads_no_other_file(rendered: tuple[str, dict[str, Any]]) -> None:
    html, _ = rendered
    assert "//" not in re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]+", "", html)
    assert not re.search(r"""(?:src|href)=["'](?!data:image/)""", html)
    assert "<script" not in html
    assert html.count("data:image/png;base64,") == 14


@pytest.mark.slow
def test_every_plot_is_a_readable_png(good_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> None:
    always = {"roc", "precision_recall", "confusion", "scores", "verdicts", "training", "reliability", "generators"}
    assert set(plots.draw_plots(tmp_path, _make_report_data(good_predictions, splits, root), HISTORY)) == always
    tables = {"held_out": _make_held_out(splits), "cross_source": make_cross_source(splits), "robustness": _make_robustness(splits)}
    measured = _make_report_data(good_predictions, splits, root, **tables)
    paths = plots.draw_plots(tmp_path, measured, HISTORY)
    assert set(paths) == always | {"unseen", "robustness", "sources_image", "sources_video", "risk_coverage"}
    for path in paths.values():
        pixels = np.asarray(Image.open(path).convert("L"))
        assert min(pixels.shape) > 200
        assert pixels.std() > 5


@pytest.mark.slow
def test_equal_figures_give_equal_plots(good_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> None:
    data = _make_report_data(good_predictions, splits, root)
    first, second = (plots.draw_plots(tmp_path / name, data, HISTORY) for name in ("a", "b"))
    assert all(first[name].read_bytes() == second[name].read_bytes() for name in first)


@pytest.mark.slow
def test_below_baseline_is_a_danger_banner(
    bad_predictions: pd.DataFrame, good_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path
) -> None:
    html, metrics = _render(bad_predictions, splits, root, tmp_path / "bad")
    banner = re.search(r'<div class="banner danger" role="alert">.*?</div>', html, re.DOTALL)
    assert banner
    assert "Below its baseline" in banner[0]
    assert f"{metrics['baseline']['test']['item']['roc_auc']['value']:.3f}" in banner[0]
    assert "banner danger" not in _render(good_predictions, splits, root, tmp_path / "good")[0]


@pytest.mark.slow
def test_the_worst_mistake_comes_first(bad_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> None:
    html, metrics = _render(bad_predictions, splits, root, tmp_path)
    items = aggregate_by_item(bad_predictions[bad_predictions["split"] == "test"], "mean")
    wrong = np.where(items["label"] == "fake", metrics["threshold"] - items["score"], items["score"] - metrics["threshold"])
    worst = items["media_id"].iloc[int(np.argmax(wrong))]
    path = splits.set_index("media_id")["path"][worst]
    assert re.search(r"a frame of ([^\"]+)\"", html)[1] == path  # type: ignore[index]


@pytest.mark.slow
def test_names_from_the_dataset_are_escaped(good_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    renamed = {"sora": name}
    html, _ = _render(good_predictions.replace({"generator": renamed}), splits.replace({"generator": renamed}), root, tmp_path)
    assert name not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"weights": "random"}, "Random weights"),
        ({"below_baseline": True}, "Below its baseline"),
        ({}, "File facts reveal the class of the videos"),
    ],
)
def test_caveats_of_a_report(good_predictions: pd.DataFrame, splits: pd.DataFrame, change: dict[str, Any], title: str) -> None:
    found = caveats.find_caveats(_make_metrics(good_predictions, splits) | change, splits, SHORTCUTS)
    assert title in [caveat.title for caveat in found]
    assert "File facts reveal the class of the images" not in [caveat.title for caveat in found]


def test_demo_data_has_a_caveat(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    demo = splits.replace({"source": {"camera": "demo-phone"}})
    titles = [
        [caveat.title for caveat in caveats.find_caveats(_make_metrics(good_predictions, table), table, SHORTCUTS)]
        for table in (demo, splits)
    ]
    assert ["Demo data" in found for found in titles] == [True, False]


def test_below_baseline_is_conspicuous_in_the_log(
    bad_predictions: pd.DataFrame, splits: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        caveats.log_caveats(caveats.find_caveats(_make_metrics(bad_predictions, splits), splits, SHORTCUTS))
    assert "!! BELOW ITS BASELINE" in caplog.text
    assert "!" * 80 in caplog.text


def test_figures_are_not_rounded_up_to_perfect() -> None:
    assert [format_figure(value) for value in (1.0, 0.9991, 0.87, None)] == ["1.00", ">0.99", "0.87", "\N{EN DASH}"]
    assert format_interval({"value": 1.0, "low": None, "high": None}) == ""


def test_metrics_are_json(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    assert json.loads(json.dumps(_make_metrics(good_predictions, splits), allow_nan=False))["recipe"] == "efficientnetb0"


def test_unseen_sources_come_first_then_unseen_generators_and_the_test_split_last(
    rendered: tuple[str, dict[str, Any]], good_predictions: pd.DataFrame, splits: pd.DataFrame
) -> None:
    html, metrics = rendered
    big = re.findall(r'<div class="big"><data [^>]+>([^<]+)</data>', html)
    kinds = metrics["cross_source"]["kinds"]
    expected = [*(kinds[kind]["roc_auc"]["value"] for kind in ("image", "video")), metrics["held_out"]["macro"]["value"]]
    assert big == [format_figure(value) for value in expected]
    headline = evaluation_report.format_headline(metrics)
    places = [headline.index(text) for text in ("from unseen sources", "unseen generators", "generators of the training")]
    assert places == sorted(places)
    assert headline.index("worst source") < places[1]
    assert "not measured" in evaluation_report.format_headline(_make_metrics(good_predictions, splits))


def test_each_source_and_generator_and_the_worst_are_named(rendered: tuple[str, dict[str, Any]]) -> None:
    html, metrics = rendered
    for figures in metrics["cross_source"]["kinds"].values():
        for row in (*figures["real_sources"], *figures["generators_by_name"]):
            assert f'<th scope="row">{row["name"]}</th>' in html
        for name in ("source", "generator"):
            assert f"of {figures[f'worst_{name}']['name']}, the worst {name}," in html
        for share in figures["right_alarms"].values():
            assert format_percent(share) in html


def test_a_kind_without_a_statement_says_why_in_report_and_card(
    good_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path
) -> None:
    table = make_cross_source(splits)
    data = _make_report_data(good_predictions, splits, root, show_media=False, cross_source=table[table["kind"] == "image"])
    figures = plots.draw_plots(tmp_path, data, HISTORY)
    html = evaluation_report.render_evaluation_report(data, {**figures, "explanations": figures["roc"]}, tmp_path)
    sentence = data.metrics["cross_source"]["kinds"]["video"]["too_few"]
    assert sentence in unescape(html)
    assert "Videos: no statement" in html
    assert "Videos from unseen sources: no statement." in model_card.render_model_card(data)


@pytest.mark.slow
def test_missing_measurements_are_mentioned(good_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> None:
    data = _make_report_data(good_predictions, splits, root, show_media=False)
    figures = plots.draw_plots(tmp_path, data, HISTORY)
    html = evaluation_report.render_evaluation_report(data, {**figures, "explanations": figures["roc"]}, tmp_path)
    assert "realframe evaluate --leave-one-generator-out" in html
    assert "evaluate.robustness_items" in html


@pytest.mark.slow
def test_media_are_left_out_without_show_media(good_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path, tmp_path: Path) -> None:
    shown, _ = _render(good_predictions, splits, root, tmp_path / "a")
    hidden, _ = _render(good_predictions, splits, root, tmp_path / "b", show_media=False)
    assert "data:image/jpeg" in shown
    assert "data:image/jpeg" not in hidden
    assert not any(path in hidden for path in splits["path"])


def test_every_perturbation_is_in_the_table(rendered: tuple[str, dict[str, Any]]) -> None:
    html, metrics = rendered
    for points in metrics["robustness"]["curves"].values():
        for point in points:
            assert f">{point['drop']['value']:+.2f}</data>" in html
            assert f">{format_figure(point['roc_auc']['value'])}</data>" in html


def test_a_perturbation_of_some_items_is_compared_with_the_same_items() -> None:
    plain = {"real": 10, "fake": 10, "roc_auc": {"value": 0.8, "low": 0.7, "high": 0.9}}
    point = {"real": 4, "fake": 6, "roc_auc": {"value": 0.85}, "drop": {"value": 0.05}}
    assert plots._unchanged_roc_auc(point, plain) == {"value": pytest.approx(0.9), "low": None, "high": None}
    assert plots._unchanged_roc_auc({**point, "real": 10, "fake": 10}, plain) == plain["roc_auc"]


def test_the_model_card_shows_the_figures(good_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path) -> None:
    text = model_card.render_model_card(
        _make_report_data(good_predictions, splits, root, held_out=_make_held_out(splits), robustness=_make_robustness(splits))
    )
    metrics = _make_metrics(good_predictions, splits, held_out=_make_held_out(splits), robustness=_make_robustness(splits))
    unseen = metrics["held_out"]["macro"]
    assert f"| ROC-AUC on unseen generators | {format_figure(unseen['value'])} | {format_interval(unseen)} |" in text
    for name, (words, _) in METRICS.items():
        assert f"| {words}, generators of the training | {format_figure(metrics['test']['item'][name]['value'])} |" in text
    assert "NOT passed, but allowed" in text
    assert "CC-BY-4.0" in text
    assert "JPEG recompression, quality 30" in text
    assert not re.search(r"\n\n\n\n", text)


def test_names_from_outside_are_plain_text_in_the_model_card(good_predictions: pd.DataFrame, splits: pd.DataFrame, root: Path) -> None:
    names = sorted({*splits["generator"], *splits["source"]} - {""})
    hostile = {"": ""} | {name: HOSTILE[number] for number, name in enumerate(names)}
    named_predictions, named_splits = (
        table.assign(generator=table["generator"].map(hostile), source=table["source"].map(hostile)) for table in (good_predictions, splits)
    )
    data = _make_report_data(named_predictions, named_splits.assign(licence=HOSTILE[0]), root, held_out=_make_held_out(named_splits))
    data = replace(data, lineage={**data.lineage, "recipe": HOSTILE[1], "commit": "`[x](http://evil.example)`"})
    tokens = render(model_card.render_model_card(data))
    kinds = {token.type for token in tokens}
    assert not kinds & {"link_open", "image", "html_inline", "html_block", "em_open", "s_open", "fence", "hr"}
    assert not [token.content for token in tokens if token.type == "text" and BARE_LINK.search(token.content)]
    assert escape_markdown(HOSTILE[0]) in model_card.render_model_card(data)
