"""What is used: params.yaml, then the recipe, then overrides; a mistake names the key, the value and the hint."""

from pathlib import Path

import pytest

from realframe.config import load_params, recipe_names, parse_overrides, resolve_params
from realframe.errors import ParamsError


def test_every_recipe_resolves(root: Path) -> None:
    for recipe in recipe_names(root / "recipes"):
        assert resolve_params(root / "params.yaml", root / "recipes", recipe=recipe).params.recipe == recipe


def test_recipe_beats_file_and_override_beats_recipe(root: Path) -> None:
    resolved = resolve_params(root / "params.yaml", root / "recipes", recipe="scratch", overrides={"train.phase1.epochs": 3})
    assert resolved.params.train.backbone == "residual_cnn"
    assert resolved.origins["train.backbone"].endswith("scratch.yaml")
    assert resolved.params.train.phase1.epochs == 3
    assert resolved.origins["train.phase1.epochs"] == "overrides"
    assert resolved.origins["seed"] == "params.yaml"


def test_an_overridden_sampling_replaces_the_one_below(root: Path) -> None:
    resolved = resolve_params(root / "params.yaml", root / "recipes", overrides={"extract.sampling": {"every": 3}})
    assert resolved.params.extract.sampling.every == 3
    assert resolved.params.extract.sampling.fps is None


def test_what_is_saved_is_what_stages_load(root: Path, tmp_path: Path) -> None:
    resolved = resolve_params(root / "params.yaml", root / "recipes")
    resolved.save(tmp_path / "params.yaml")
    assert load_params(tmp_path / "params.yaml") == resolved.params


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"train.bachbone": "x"}, "train.bachbone"),
        ({"clean.size": 7}, "given: 7"),
        ({"clean.fit": "squeeze"}, "'crop', 'pad' or 'stretch'"),
        ({"extract.sampling": {"fps": 1, "every": 2}}, "exactly one of fps, every, uniform"),
        ({"train.phase1.frozen": False}, "phase2.unfreeze_last"),
    ],
)
def test_a_mistake_names_key_value_and_hint(root: Path, overrides: dict, said: str) -> None:
    with pytest.raises(ParamsError) as caught:
        resolve_params(root / "params.yaml", root / "recipes", overrides=overrides)
    assert said in str(caught.value)
    assert "Change it in" in str(caught.value)


def test_an_unknown_recipe_lists_the_known(root: Path) -> None:
    with pytest.raises(ParamsError, match="efficientnetv2b0"):
        resolve_params(root / "params.yaml", root / "recipes", recipe="nonesuch")


def test_settings_are_read_as_yaml() -> None:
    assert parse_overrides(["a.b=3", "c={every: 3}", "recipe=scratch"]) == {"a.b": 3, "c": {"every": 3}, "recipe": "scratch"}
    with pytest.raises(ParamsError, match="KEY=VALUE"):
        parse_overrides(["a.b"])


def test_every_knob_has_a_comment_and_a_reader(root: Path) -> None:
    code = "".join(
        path.read_text() for folder in ("src", "pipelines") for path in (root / folder).rglob("*.py") if path.parent.name != "params"
    )
    for line in (root / "params.yaml").read_text().splitlines():
        key, colon, rest = line.strip().partition(":")
        if colon and not key.startswith("#") and rest.strip() and not rest.strip().startswith("#"):
            assert f".{key}" in code or f'"{key}"' in code or key in ("overrides",), f"nothing reads {key}"
