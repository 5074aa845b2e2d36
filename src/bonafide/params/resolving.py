"""From params.yaml, a recipe and overrides to the checked parameters of a run, and back from the file that the stages read."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from bonafide.errors import ParamsError
from bonafide.files import atomic_path
from bonafide.params.keys import leaves, merged, nested, read_yaml
from bonafide.params.model import Params


class Resolved(BaseModel):
    """The parameters, and for each dotted key where its value came from."""

    params: Params
    origin: dict[str, str]

    def save(self, path: Path) -> None:
        """Write the resolved parameters as YAML, atomically."""
        with atomic_path(path) as temporary:
            YAML().dump(self.params.model_dump(mode="json", exclude_none=True), temporary)


def load(path: Path) -> Params:
    """Read resolved parameters, as the stages do. Raises ParamsError."""
    return _validated(read_yaml(path), path)


def resolve(params_file: Path, recipes: Path, *, recipe: str | None = None, overrides: Mapping[str, Any] | None = None) -> Resolved:
    """Lay a recipe over ``params_file``, then the overrides, and check the result. Raises ParamsError.

    Args:
        params_file: the file with a value for every parameter, the recipe's name and overrides.
        recipes: the folder of recipes.
        recipe: used instead of the recipe that the file names.
        overrides: dotted keys that beat those of the file.
    """
    base = read_yaml(params_file)
    overrides = {**(base.pop("overrides", None) or {}), **(overrides or {})}
    base["recipe"] = recipe = recipe or base.get("recipe")
    recipe_file = recipes / f"{recipe}.yaml"
    if not recipe_file.exists():
        raise ParamsError(f"recipe: {recipe}", "there is no such recipe", f"Choose one of: {', '.join(names(recipes))}.")
    overlay = read_yaml(recipe_file)
    origin = {key: params_file.name for key, _ in leaves(base)}
    origin |= {key: str(recipe_file) for key, _ in leaves(overlay)}
    origin |= dict.fromkeys(overrides, "overrides")
    values = merged(base, overlay)
    for key, value in overrides.items():
        values = merged(values, nested(key, value))
    params = _validated(values, params_file)
    kept = dict(leaves(params.model_dump(mode="json", exclude_none=True)))
    return Resolved(params=params, origin={key: origin.get(key) or _origin_above(key, origin) for key in kept})


def read_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` pairs, the value as YAML. Raises ParamsError."""
    values = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not (key and equals):
            raise ParamsError(setting, "is not of the form KEY=VALUE", "Write for example train.phase1.epochs=3.")
        values[key.strip()] = YAML(typ="safe").load(value)
    return values


def names(recipes: Path) -> list[str]:
    """Return the names of the recipes in a folder."""
    return sorted(file.stem for file in recipes.glob("*.yaml"))


def loads(data: bytes) -> Params:
    """Return resolved parameters from the bytes of the file that ``Resolved.save`` wrote. Raises ParamsError."""
    return _validated(YAML(typ="safe").load(data), Path("build/params.yaml"))


def _origin_above(key: str, origin: Mapping[str, str]) -> str:
    return next((origin[known] for known in origin if key.startswith(f"{known}.")), "default")


def _validated(values: Mapping[str, Any], source: Path) -> Params:
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        whole = first["type"] == "missing" or isinstance(first["input"], Mapping)  # its message says what contradicts what
        given = "" if whole else f" (given: {first['input']!r})"
        raise ParamsError(key or source, f"{first['msg']}{given}", f"Mend it in {source}, its recipe or the overrides.") from error
