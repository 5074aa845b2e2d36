"""Resolve and validate the parameters of a run: params.yaml, then the recipe, then the overrides.

``Params`` is the model of all sections with the checks between them. ``resolve_params`` creates it, ``ResolvedParams.save`` writes the
file that the stages read, and ``load_params`` reads it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator
from ruamel.yaml import YAML

from realframe.config.frame_sections import (
    CleanParams,
    ExtractParams,
    HarmonizeParams,
    Limits,
    Section,
)
from realframe.config.search_space import SearchRange, TuneParams, replace_train_values
from realframe.config.sections import (
    BalanceParams,
    EvaluateParams,
    ShortcutParams,
    SplitParams,
    TrainParams,
)
from realframe.config.yaml_files import flatten, get_mapping, merge, nest, parse_yaml, parse_yaml_mapping, read_yaml
from realframe.errors import ParamsError
from realframe.files import atomic_path

Model = TypeVar("Model", bound=BaseModel)

_MAX_QUOTED = 100  # characters of a value in a message


class Params(Section):
    """All parameters of a run, resolved and validated."""

    recipe: str
    seed: int = Field(ge=0)
    limits: Limits = Limits()  # a registered version has none
    harmonize: HarmonizeParams
    extract: ExtractParams
    clean: CleanParams
    shortcuts: ShortcutParams
    balance: BalanceParams
    split: SplitParams
    train: TrainParams
    tune: TuneParams
    evaluate: EvaluateParams

    @field_validator("tune")
    @classmethod
    def _check_search_space(cls, tune: TuneParams, info: ValidationInfo) -> TuneParams:
        train: TrainParams | None = info.data.get("train")
        if train is None:
            return tune  # train is not valid itself, and pydantic reports that
        for key, candidates in tune.space.items():
            for value in (candidates.min, candidates.max) if isinstance(candidates, SearchRange) else candidates:
                try:
                    replace_train_values(train, {key: value})
                except ValidationError as error:
                    raise ValueError(f"space: {key} cannot be {value!r}: {error.errors()[0]['msg']}") from error
        return tune

    @model_validator(mode="after")
    def _check_clip_head(self) -> Self:
        head, sampling = self.train.head, self.extract.sampling
        if not head.scores_clips:
            return self
        if self.balance.kinds != ("video",):
            raise ValueError(f"train.head.kind {head.kind} scores videos; set balance.kinds to [video] (given: {list(self.balance.kinds)})")
        frame_count = min(self.extract.max_frames, sampling.uniform or self.extract.max_frames)
        if head.length > frame_count:
            name = "extract.sampling.uniform" if sampling.uniform == frame_count else "extract.max_frames"
            raise ValueError(
                f"train.head.length {head.length} is more frames than {name} {frame_count} gives; lower train.head.length or raise {name}"
            )
        return self

    @model_validator(mode="after")
    def _check_smote(self) -> Self:
        if self.balance.method == "smote" and not self.train.phase1.frozen:
            raise ValueError(
                "balance.method smote interpolates features of a frozen backbone, and train.phase1.frozen is false; "
                "set train.phase1.frozen to true or choose another balance.method"
            )
        return self


class ResolvedParams(BaseModel):
    """The parameters of a run and where they come from.

    Attributes:
        params: the validated parameters.
        origins: dotted key -> the file that set the value, or ``overrides``.
    """

    params: Params
    origins: dict[str, str]

    def save(self, path: Path) -> None:
        """Write the resolved parameters as YAML, atomically."""
        with atomic_path(path) as temporary:
            YAML().dump(self.params.model_dump(mode="json", exclude_none=True), temporary)


def load_params(path: Path) -> Params:
    """Read the resolved parameters that ``ResolvedParams.save`` wrote. Raises ParamsError."""
    return _validate(read_yaml(path), path, Params)


def parse_params(data: bytes) -> Params:
    """Parse the content of a file that ``ResolvedParams.save`` wrote. Raises ParamsError."""
    return _validate(
        parse_yaml_mapping(data, "build/params.yaml", "Run the stage `resolve_params` again."), Path("build/params.yaml"), Params
    )


def read_limits(params_file: Path) -> Limits:
    """Return the limits in ``params_file`` and its overrides; the defaults where there is no such file. Raises ParamsError."""
    if not params_file.exists():
        return Limits()
    values = read_yaml(params_file)
    limits = get_mapping(values, "limits", params_file)
    overrides = get_mapping(values, "overrides", params_file)
    limits |= {key.removeprefix("limits."): value for key, value in overrides.items() if key.startswith("limits.")}
    return _validate(limits, params_file, Limits, "limits.")


def resolve_params(
    params_file: Path, recipes: Path, *, recipe: str | None = None, overrides: Mapping[str, Any] | None = None
) -> ResolvedParams:
    """Apply a recipe and then the overrides to ``params_file``, and validate the result. Raises ParamsError.

    Args:
        params_file: params.yaml: a value for every parameter, the name of the recipe and overrides.
        recipes: the folder of recipes.
        recipe: the recipe to use instead of the one that the file names.
        overrides: dotted keys and values; they take precedence over the overrides in the file.
    """
    base = read_yaml(params_file)
    overrides = {**get_mapping(base, "overrides", params_file), **(overrides or {})}
    base.pop("overrides", None)
    base["recipe"] = recipe = recipe or base.get("recipe")
    if recipe not in (known := list_recipes(recipes)):
        raise ParamsError(f"recipe: {recipe}", "there is no such recipe", f"Choose one of: {', '.join(known)}.")
    recipe_file = recipes / f"{recipe}.yaml"
    overlay = read_yaml(recipe_file)
    origins = {key: params_file.name for key, _ in flatten(base)}
    origins |= {key: f"{recipes.name}/{recipe_file.name}" for key, _ in flatten(overlay)}
    origins |= dict.fromkeys(overrides, "overrides")
    values = merge(base, overlay)
    for key, value in overrides.items():
        values = merge(values, nest(key, value))
    params = _validate(values, params_file, Params)
    keys = dict(flatten(params.model_dump(mode="json", exclude_none=True)))
    return ResolvedParams(params=params, origins={key: origins.get(key) or _parent_origin(key, origins) for key in keys})


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` pairs, the value as YAML. Raises ParamsError."""
    values = {}
    for setting in pairs:
        key, equals, value = setting.partition("=")
        if not (key and equals):
            raise ParamsError(setting, "is not of the form KEY=VALUE", "Write for example train.phase1.epochs=3.")
        name = key.strip()
        values[name] = parse_yaml(
            value, f"-S {_shorten(setting)}", "Write the value as YAML, for example -S 'extract.sampling={every: 3}'."
        )
    return values


def list_recipes(recipes: Path) -> list[str]:
    """Return the names of the recipes in a folder."""
    return sorted(file.stem for file in recipes.glob("*.yaml"))


def _shorten(text: str) -> str:
    """Return the start of a text that somebody typed, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_QUOTED else f"{line[:_MAX_QUOTED]}..."


def _parent_origin(key: str, origins: Mapping[str, str]) -> str:
    """Return the origin of the mapping that contains ``key``, such as an override of a whole section."""
    return next((origins[parent] for parent in origins if key.startswith(f"{parent}.")), "default")


def _validate(values: Mapping[str, Any], source: Path, model: type[Model], prefix: str = "") -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = prefix + ".".join(str(part) for part in first["loc"])
        # the value of a whole section would be long, and the message already names the values that contradict each other
        hides_value = first["type"] == "missing" or isinstance(first["input"], Mapping)
        value = "" if hides_value else f" (given: {_shorten(repr(first['input']))})"
        raise ParamsError(key or source, f"{first['msg']}{value}", f"Change it in {source}, the recipe or the overrides.") from error
