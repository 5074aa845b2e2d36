"""``realframe compare-recipes`` tunes, trains, registers and reloads a recipe for clips."""

import json
import re
from pathlib import Path

import pytest

from tests.trained_checkout import FAST_OVERRIDES, TrainedCheckout

pytestmark = pytest.mark.timeout(900)
RECIPES = ("efficientnetv2b0-bilstm",)  # a second one takes minutes; tests/runs/test_compare_recipes.py has several
SMALL = {
    **FAST_OVERRIDES,
    "train.backbone": "residual_cnn",
    "train.weights": "random",
    "split.min_per_class": 1,
    "extract.sampling": {"uniform": 24},
    "train.head.length": 24,
    "tune.trials": 2,
    "tune.space": {"train.head.units": [8, 16]},
}


def test_recipes_are_compared_on_one_split(trained_checkout: TrainedCheckout, tmp_path: Path) -> None:
    copy, page = trained_checkout.copy(tmp_path / "checkout"), tmp_path / "results.md"
    settings = [part for key, value in SMALL.items() for part in ("-S", f"{key}={json.dumps(value)}")]
    printed = copy.run_module("realframe", "compare-recipes", *RECIPES, *settings, "--clips", "2", "--output", str(page))
    written = page.read_text()
    assert written.split("\n\n", 1)[1].strip().removesuffix("<!-- compare-recipes: end -->").strip() in printed
    rows = {row.split(" | ")[0].removeprefix("| "): row.split(" | ") for row in written.splitlines() if row.startswith("| ")}
    assert [rows[recipe][1:3] for recipe in RECIPES] == [["residual_cnn (random)", "bilstm_attention"]]
    assert re.search(r"All were tested on the same \d+ clips", written)
    assert float(re.search(r"by at most\s+([\d.e+-]+[\d])", written).group(1)) <= 1e-5  # type: ignore[union-attr]
    assert "Random weights" in written
    trained = json.loads(copy.git("show", f"{_newest_run(copy)}:models/training.json"))
    assert trained["tuned"]["train.head.units"] in (8, 16)
    clip = str(sorted(copy.unseen.rglob("*.mp4"))[0])
    answer = json.loads(copy.run_module("realframe", "detect", "--json", "--model", "2", clip))[0]
    assert all(frame["score"] is None for frame in answer["frames"])
    assert sum(frame["attention"] for frame in answer["frames"]) == pytest.approx(1, abs=1e-5)
    assert answer["frames_analyzed"] > 1


def _newest_run(copy: TrainedCheckout) -> str:
    return copy.git("for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(refname:short)", "refs/heads/runs/")
