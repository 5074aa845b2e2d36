"""The numbers of the scale in the evaluation report stand under the ends and the middle of its bars, at every width."""

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from realframe.config import resolve_params
from realframe.reports.evaluation_report import ReportData, render_evaluation_report
from tests.scored_items import make_metrics, make_predictions, make_splits

PLOTS = ("confusion", "roc", "scores", "precision_recall", "training", "verdicts", "reliability", "generators", "explanations")
CENTERS = """() => {
  const box = element => element.getBoundingClientRect();
  return {
    bars: [...document.querySelectorAll(".track")].map(bar => [box(bar).left, (box(bar).left + box(bar).right) / 2, box(bar).right]),
    numbers: [...document.querySelectorAll(".ticks span")].map(number => (box(number).left + box(number).right) / 2),
    top: Math.min(...[...document.querySelectorAll(".ticks span")].map(number => box(number).top)),
    bottom: Math.max(...[...document.querySelectorAll(".track")].map(bar => box(bar).bottom)),
    overflow: document.documentElement.scrollWidth - innerWidth,
  };
}"""


@pytest.fixture(scope="module")
def report(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, splits = tmp_path_factory.mktemp("report"), make_splits()
    figures = make_metrics(make_predictions(splits, 2.5, 1.0), splits, 20)
    Image.new("RGB", (8, 8)).save(folder / "plot.png")
    params = resolve_params(root / "params.yaml", root / "recipes", overrides={"evaluate.show_media": False}).params
    data = ReportData(
        metrics={"recipe": "scratch", "weights": "random", "dataset": "0" * 12, **figures},
        splits=splits,
        items=make_predictions(splits, 2.5, 1.0).drop_duplicates("media_id").query("split == 'test'"),
        frames=make_predictions(splits, 2.5, 1.0).query("split == 'test'"),
        shortcuts={"kinds": {}, "limit": 0.7, "passed": True, "allowed": False},
        params=params.model_dump(mode="json"),
        lineage={"recipe": "scratch"},
        caveats=[],
    )
    page = folder / "report.html"
    page.write_text(render_evaluation_report(data, dict.fromkeys(PLOTS, folder / "plot.png"), folder))
    return page


@pytest.mark.parametrize("width", [1100, 721, 360])
def test_the_numbers_stand_under_the_bars(report: Path, browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(report.as_uri())
    found = page.evaluate(CENTERS)
    page.close()
    assert len(found["bars"]) == 3
    for bar in found["bars"]:
        assert found["numbers"] == pytest.approx(bar, abs=1)
    assert 0 <= found["top"] - found["bottom"] < 24
    assert found["overflow"] <= 0
