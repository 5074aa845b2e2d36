"""Test resolving parameters: params.yaml, then the recipe, then overrides; errors name the key, the value and a hint."""

from pathlib import Path

import pytest

from realframe.config import Limits, list_recipes, load_params, parse_overrides, read_limits, resolve_params
from realframe.errors import ParamsError


def test_every_recipe_resolves(root: Path) -> None:
    for recipe in list_recipes(root / "recipes"):
        assert resolve_params(root / "params.yaml", root / "recipes", recipe=recipe).params.recipe == recipe


def test_the_recipe_replaces_the_file_and_overrides_replace_the_recipe(root: Path) -> None:
    resolved = resolve_params(root / "params.yaml", root / "recipes", recipe="scratch", overrides={"train.phase1.epochs": 3})
    assert resolved.params.train.backbone == "residual_cnn"
    assert resolved.origins["train.backbone"].endswith("scratch.yaml")
    assert resolved.params.train.phase1.epochs == 3
    assert resolved.origins["train.phase1.epochs"] == "overrides"
    assert resolved.origins["seed"] == "params.yaml"


def test_an_overridden_sampling_replaces_the_whole_rule(root: Path) -> None:
    resolved = resolve_params(root / "params.yaml", root / "recipes", overrides={"extract.sampling": {"every": 3}})
    assert resolved.params.extract.sampling.every == 3
    assert resolved.params.extract.sampling.fps is None


def test_stages_load_what_is_saved(root: Path, tmp_path: Path) -> None:
    resolved = resolve_params(root / "params.yaml", root / "recipes")
    resolved.save(tmp_path / "params.yaml")
    assert load_params(tmp_path / "params.yaml") == resolved.params


def test_the_limits_of_a_machine_are_those_of_its_params_file(root: Path, tmp_path: Path) -> None:
    assert read_limits(root / "params.yaml") == resolve_params(root / "params.yaml", root / "recipes").params.limits
    assert read_limits(tmp_path / "none.yaml") == Limits() == read_limits(root / "params.yaml")
    (tmp_path / "params.yaml").write_text("limits: {max_pixels: 100}\noverrides: {limits.max_bytes: 7, seed: 1}\n")
    assert read_limits(tmp_path / "params.yaml") == Limits(max_pixels=100, max_bytes=7)
    (tmp_path / "params.yaml").write_text("limits: {max_pixels: -1}\n")
    with pytest.raises(ParamsError, match=r"limits\.max_pixels: .*given: -1"):
        read_limits(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("overrides", "message_part"),
    [
        ({"train.bachbone": "x"}, "train.bachbone"),
        ({"clean.size": 7}, "given: 7"),
        ({"clean.fit": "squeeze"}, "'crop', 'pad' or 'stretch'"),
        ({"extract.sampling": {"fps": 1, "every": 2}}, "exactly one of fps, every, uniform"),
        ({"train.phase1.frozen": False}, "phase2.unfreeze_last"),
    ],
)
def test_an_error_names_key_value_and_hint(root: Path, overrides: dict, message_part: str) -> None:
    with pytest.raises(ParamsError) as caught:
        resolve_params(root / "params.yaml", root / "recipes", overrides=overrides)
    assert message_part in str(caught.value)
    assert "Change it in" in str(caught.value)


def test_an_unknown_recipe_lists_the_known(root: Path) -> None:
    with pytest.raises(ParamsError, match="efficientnetv2b0"):
        resolve_params(root / "params.yaml", root / "recipes", recipe="nonesuch")


def test_overrides_are_parsed_as_yaml() -> None:
    assert parse_overrides(["a.b=3", "c={every: 3}", "recipe=scratch"]) == {"a.b": 3, "c": {"every": 3}, "recipe": "scratch"}
    with pytest.raises(ParamsError, match="KEY=VALUE"):
        parse_overrides(["a.b"])


def test_every_parameter_has_a_comment_and_a_reader(root: Path) -> None:
    code = "".join(
        path.read_text() for folder in ("src", "pipelines") for path in (root / folder).rglob("*.py") if path.parent.name != "config"
    )
    for line in (root / "params.yaml").read_text().splitlines():
        key, colon, rest = line.strip().partition(":")
        if colon and not key.startswith("#") and rest.strip() and not rest.strip().startswith("#"):
            assert f".{key}" in code or f'"{key}"' in code or key in ("overrides",), f"nothing reads {key}"
