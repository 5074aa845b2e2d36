"""docs/recipes.md is correct: its example recipe is accepted, its refusals have the documented messages, and every recipe is documented."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from realframe.cli.run_commands import PUBLISHED
from realframe.config import list_recipes, parse_overrides, resolve_params
from realframe.errors import ParamsError
from realframe.models import backbones
from tests.trained_checkout import ROOT, copy_checkout

PAGE = (ROOT / "docs" / "recipes.md").read_text()
REFUSED = re.findall(r"^\| `(-S .+?)` \| (.+) \|$", PAGE, re.MULTILINE)


def test_the_example_is_a_recipe_of_ten_lines(tmp_path: Path) -> None:
    name, text = re.findall(r"`recipes/(\w+)\.yaml`.*?```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    assert len(text.splitlines()) == 10
    root = copy_checkout(tmp_path)
    (root / "recipes" / f"{name}.yaml").write_text(text)
    command = [sys.executable, "-m", "realframe", "params", "-S", f"recipe={name}"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = {
        cells[0]: cells[1:] for line in done.stdout.splitlines() if len(cells := [c.strip() for c in line.strip("│ ").split("│")]) == 3
    }
    assert lines["train.head.kind"] == ["gru", f"recipes/{name}.yaml"]
    assert lines["train.backbone"] == ["resnet50v2", f"recipes/{name}.yaml"]
    assert backbones.get_backbone(lines["train.backbone"][0]).is_keras


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[options for options, _ in REFUSED])
def test_each_refusal_has_the_documented_message(options: str, message: str) -> None:
    values = parse_overrides(word for word in shlex.split(options) if word != "-S")
    recipe = values.pop("recipe", None)
    with pytest.raises(ParamsError) as error:
        params = resolve_params(ROOT / "params.yaml", ROOT / "recipes", recipe=recipe, overrides=values).params
        inputs = keras.Input((params.clean.size, params.clean.size, 3))
        backbones.get_backbone(params.train.backbone).build(inputs)  # the stage resolve_params builds it too
    assert message in str(error.value)


def test_every_documented_refusal_is_tested() -> None:
    section = PAGE.split("## Invalid combinations")[1].split("\n## ")[0]
    assert len(REFUSED) == section.count("\n| ") - 2 > 0  # minus the header of the table


def test_every_recipe_is_documented() -> None:
    explained = PAGE.split("## What each recipe reproduces")[1].split("\n## ")[0]
    assert [recipe for recipe in list_recipes(ROOT / "recipes") if f"**`{recipe}`**" not in explained] == []


def test_our_figures_are_those_of_the_results_page() -> None:
    results = (ROOT / "docs" / "results.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \| .+? \| (.+?) \| .+ \|$", PAGE.split("## Stated figures")[1].split("\n## ")[0], re.MULTILINE)
    assert {recipe for recipe, _ in rows} == set(PUBLISHED)
    for recipe, ours in rows:
        figures = re.findall(r"\d\.\d{3} \([^)]+\)", ours)
        assert figures
        lines = [line for line in results.splitlines() if line.startswith((f"| {recipe} |", "| images and videos,"))]
        assert [figure for figure in figures if not any(f"| {figure} |" in line for line in lines)] == []
        is_random = any("(random)" in line for line in lines if line.startswith(f"| {recipe} |"))
        assert ("random weights" in ours) == is_random
