"""docs/recipes.md says what is so: its recipe is accepted, its refusals are the real ones, and no recipe is missing."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from realframe.errors import ParamsError
from realframe.models import backbones
from realframe.config import names, read_settings, resolve
from tests.pilot import ROOT, copy_checkout

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
    assert backbones.get(lines["train.backbone"][0]).of_keras


@pytest.mark.parametrize(("asked", "answer"), REFUSED, ids=[asked for asked, _ in REFUSED])
def test_what_is_refused_is_refused_in_these_words(asked: str, answer: str) -> None:
    values = read_settings(word for word in shlex.split(asked) if word != "-S")
    recipe = values.pop("recipe", None)
    with pytest.raises(ParamsError) as refused:
        params = resolve(ROOT / "params.yaml", ROOT / "recipes", recipe=recipe, overrides=values).params
        backbones.get(params.train.backbone).build(keras.Input((params.clean.size, params.clean.size, 3)))  # as resolve_params does
    assert answer in str(refused.value)


def test_every_refusal_of_the_page_is_tried() -> None:
    section = PAGE.split("## What is refused")[1].split("\n## ")[0]
    assert len(REFUSED) == section.count("\n| ") - 2 > 0  # less the table's head and its rule


def test_every_recipe_is_explained() -> None:
    explained = PAGE.split("## What each stands for")[1].split("\n## ")[0]
    assert [recipe for recipe in names(ROOT / "recipes") if f"**`{recipe}`**" not in explained] == []
