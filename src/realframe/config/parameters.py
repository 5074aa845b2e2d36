"""All parameters of a run in one model, and what the sections ask of each other.

From params.yaml, a recipe and overrides to the checked parameters of a run, and back from the file that the stages read.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator
from ruamel.yaml import YAML

from realframe.config.search_space import Range, Tune, with_values
from realframe.config.sections import Balance, Clean, Evaluate, Extract, Harmonization, Limits, Section, Shortcuts, Split, Train
from realframe.config.yaml_files import leaves, merged, nested, read_yaml
from realframe.errors import ParamsError
from realframe.files import atomic_path


class Params(Section):
    """All parameters of a run, resolved and checked."""

    recipe: str
    seed: int = Field(ge=0)
    limits: Limits
    harmonize: Harmonization
    extract: Extract
    clean: Clean
    shortcuts: Shortcuts
    balance: Balance
    split: Split
    train: Train
    tune: Tune
    evaluate: Evaluate

    @field_validator("tune")
    @classmethod
    def _what_is_tried_is_allowed(cls, tune: Tune, info: ValidationInfo) -> Tune:
        train: Train | None = info.data.get("train")
        if train is None:
            return tune  # its own fault is told
        for key, tried in tune.space.items():
            for value in (tried.min, tried.max) if isinstance(tried, Range) else tried:
                try:
                    with_values(train, {key: value})
                except ValidationError as error:
                    raise ValueError(f"space: {key} can't be {value!r}: {error.errors()[0]['msg']}") from error
        return tune

    @model_validator(mode="after")
    def _a_clip_head_gets_clips(self) -> Self:
        head, sampling = self.train.head, self.extract.sampling
        if not head.sequential:
            return self
        if self.balance.kinds != ("video",):
            raise ValueError(f"train.head.kind {head.kind} scores videos; set balance.kinds to [video] (given: {list(self.balance.kinds)})")
        most = min(self.extract.max_frames, sampling.uniform or self.extract.max_frames)
        if head.length > most:
            name = "extract.sampling.uniform" if sampling.uniform == most else "extract.max_frames"
            raise ValueError(
                f"train.head.length {head.length} asks for more frames than {name} {most} gives; lower the one or raise the other"
            )
        return self

    @model_validator(mode="after")
    def _smote_needs_features(self) -> Self:
        if self.balance.method == "smote" and not self.train.phase1.frozen:
            raise ValueError("balance.method smote interpolates features of a frozen backbone, and train.phase1.frozen is false")
        return self


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
