"""The parameters of a run: one strict, frozen model of what params.yaml, a recipe and overrides say together."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from ruamel.yaml import YAML, YAMLError

from bonafide.errors import ParamsError
from bonafide.files import atomic_path

_WHOLE = ("sampling", "space")  # an overlay of these replaces: one of three rules, not their sum; what is searched, not more of it
Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Section):
    """What one file may cost; bytes, pixels, seconds, MiB."""

    max_bytes: int = Field(gt=0)
    max_pixels: int = Field(gt=0)
    max_duration_s: float = Field(gt=0)
    timeout_s: float = Field(gt=0)
    max_memory_mb: int = Field(ge=256)


class Sampling(_Section):
    """Which frames of a video are taken: exactly one of the three."""

    fps: float | None = Field(default=None, gt=0)
    every: int | None = Field(default=None, ge=1)
    uniform: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"name exactly one of fps, every, uniform (given: {sorted(self.model_fields_set) or 'none'})")
        return self


class Extract(_Section):
    """How frames leave a video."""

    sampling: Sampling
    max_frames: int = Field(ge=1, le=4096)
    encoding: Literal["png", "jpeg"]


class Clean(_Section):
    """What a frame looks like to the model, and which frames are dropped."""

    size: int = Field(ge=32, le=1024)
    fit: Literal["crop", "pad", "stretch"]
    min_std: float = Field(ge=0, le=255)
    min_sharpness: float = Field(ge=0)
    duplicate_distance: int = Field(ge=-1, le=64)


class Shortcuts(_Section):
    """How the file facts are audited."""

    folds: int = Field(ge=2, le=20)


class Balance(_Section):
    """Which items the dataset takes and how its classes are balanced."""

    kinds: tuple[Literal["image", "video"], ...] = Field(min_length=1)
    method: Literal["undersample", "oversample", "class_weights", "smote", "none"]


class Split(_Section):
    """How items are dealt to train, val and test."""

    val: float = Field(gt=0, le=0.5)
    test: float = Field(gt=0, le=0.5)
    near_duplicate_distance: int = Field(ge=-1, le=64)
    min_per_class: int = Field(ge=1)


HeadKind = Literal["gap", "lstm", "simple_rnn", "gru", "bilstm_attention", "transformer"]


class Head(_Section):
    """What stands on the backbone: ``gap`` looks at each frame by itself, the others at a clip's sequence of frames."""

    kind: HeadKind
    length: int = Field(ge=1, le=1024)
    units: int = Field(ge=1)
    dense: int = Field(ge=0)
    dropout: float = Field(ge=0, le=0.9)
    normalize: bool
    warm_start: bool

    @property
    def sequential(self) -> bool:
        """It scores a whole clip at once."""
        return self.kind != "gap"


class Augment(_Section):
    """Random changes of a training frame that must not change its verdict."""

    flip: bool
    rotation: float = Field(ge=0, le=0.5)
    zoom: float = Field(ge=0, le=0.5)
    brightness: Share
    contrast: Share


class _Phase(_Section):
    epochs: int = Field(ge=1)
    min_steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)


class Phase1(_Phase):
    """The first phase: the head alone, or the whole network where ``frozen`` is false."""

    frozen: bool


class Phase2(_Phase):
    """The second phase: the last layers of the backbone too."""

    unfreeze_last: int = Field(ge=0)
    align_to_block: bool


class ReduceLr(_Section):
    """ReduceLROnPlateau."""

    patience: int = Field(ge=0)
    factor: float = Field(gt=0, lt=1)


class Activations(_Section):
    """The cache of what the frozen layers compute."""

    cache: bool
    views: int = Field(ge=1, le=64)


class Train(_Section):
    """How the detector learns."""

    backbone: str
    weights: str
    head: Head
    batch_size: int = Field(ge=1)
    augment: Augment
    phase1: Phase1
    phase2: Phase2
    early_stopping: int = Field(ge=1)
    reduce_lr: ReduceLr
    activations: Activations

    @model_validator(mode="after")
    def _phases_agree(self) -> Self:
        if not self.phase1.frozen and self.phase2.unfreeze_last:
            raise ValueError("phase1.frozen is false, so nothing is left for phase2.unfreeze_last to unfreeze; set it to 0")
        if not self.phase1.frozen and self.activations.cache:
            raise ValueError("phase1.frozen is false, so there are no frozen activations; set activations.cache to false")
        return self

    @model_validator(mode="after")
    def _a_clip_head_stands_on_features(self) -> Self:
        if self.head.sequential and not self.phase1.frozen:
            raise ValueError(f"head.kind {self.head.kind} learns from the features of a frozen backbone; set phase1.frozen to true")
        if self.head.sequential and self.phase2.unfreeze_last:
            raise ValueError(f"head.kind {self.head.kind} has no second phase; set phase2.unfreeze_last to 0")
        return self


TUNABLE = (
    "train.head.units",
    "train.head.dense",
    "train.head.dropout",
    "train.batch_size",
    "train.phase1.epochs",
    "train.phase1.learning_rate",
    "train.phase1.weight_decay",
)
"""What can be searched: the other values of ``train`` would change the features, or what serving needs."""


class Range(_Section):
    """Every value from ``min`` to ``max``, both of them too; with ``log`` as many from 1 to 10 as from 10 to 100."""

    min: int | float
    max: int | float
    log: bool = False


class Tune(_Section):
    """The search for better values of ``train`` before the training."""

    trials: int = Field(ge=0)
    objective: Literal["val_loss", "val_auc"]
    time_limit_s: float = Field(gt=0)
    space: dict[str, tuple[int | float, ...] | Range]

    @field_validator("space", mode="before")
    @classmethod
    def _readable(cls, space: object) -> object:
        for key, tried in space.items() if isinstance(space, Mapping) else ():
            if key not in TUNABLE:
                raise ValueError(f"{key} can't be searched; choose of: {', '.join(TUNABLE)}")
            fault = _fault(tried.model_dump() if isinstance(tried, Range) else tried)
            if fault:
                raise ValueError(f"{key}: {tried!r} {fault}; write a list of numbers, or {{min: , max: , log: true}}")
        return space

    @model_validator(mode="after")
    def _there_is_something_to_try(self) -> Self:
        if self.trials and not self.space:
            raise ValueError(f"trials {self.trials} asks for a search, and space names nothing to try; set trials to 0 or fill space")
        return self


class Evaluate(_Section):
    """How the evidence is computed."""

    aggregate: Literal["mean", "median", "top_k", "confident", "auto"]
    bootstrap: int = Field(ge=100)


class Params(_Section):
    """All parameters of a run, resolved and checked."""

    recipe: str
    seed: int = Field(ge=0)
    limits: Limits
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
    values = _merged(base, overlay)
    for key, value in overrides.items():
        values = _merged(values, _nested(key, value))
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


def with_values(train: Train, values: Mapping[str, Any]) -> Train:
    """Return ``train`` with other values, by dotted keys such as ``train.batch_size``. Raises pydantic's ValidationError."""
    changed: dict[str, Any] = {"train": train.model_dump()}
    for key, value in values.items():
        changed = _merged(changed, _nested(key, value))
    return Train.model_validate(changed["train"])


def names(recipes: Path) -> list[str]:
    """Return the names of the recipes in a folder."""
    return sorted(file.stem for file in recipes.glob("*.yaml"))


def loads(data: bytes) -> Params:
    """Return resolved parameters from the bytes of the file that ``Resolved.save`` wrote. Raises ParamsError."""
    return _validated(YAML(typ="safe").load(data), Path("build/params.yaml"))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises ParamsError."""
    try:
        values = YAML(typ="safe").load(path)
    except (OSError, YAMLError) as error:
        raise ParamsError(path, f"can't be read as YAML: {error}") from error
    if not isinstance(values or {}, dict):
        raise ParamsError(path, "is not a mapping of keys to values")
    return values or {}


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is no mapping, with its dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _merged(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in overlay.items():
        below = result.get(key)
        merge = isinstance(value, Mapping) and isinstance(below, Mapping) and key not in _WHOLE
        result[key] = _merged(below, value) if merge else value  # type: ignore[arg-type]
    return result


def _fault(tried: object) -> str:
    """Say what is wrong with the form of what is tried of a key; empty where nothing is."""
    if isinstance(tried, list | tuple):
        return "" if tried and all(_is_number(value) for value in tried) else "is not a list of numbers"
    if not (isinstance(tried, Mapping) and {"min", "max"} <= set(tried) <= {"min", "max", "log"}):
        return "is neither a list nor a range"
    low, high, log = tried["min"], tried["max"], tried.get("log", False)
    if not (_is_number(low) and _is_number(high) and isinstance(log, bool)):
        return "has a bound that is no number, or a log that is neither true nor false"
    if low >= high:
        return "has a min that is not below its max"
    return "has log: true, so its min must be above 0" if log and low <= 0 else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _nested(dotted: str, value: object) -> dict[str, Any]:
    *parents, last = dotted.split(".")
    nested: dict[str, Any] = {last: value}
    for parent in reversed(parents):
        nested = {parent: nested}
    return nested


def _origin_above(key: str, origin: Mapping[str, str]) -> str:
    return next((origin[known] for known in origin if key.startswith(f"{known}.")), "default")


def _validated(values: Mapping[str, Any], source: Path) -> Params:
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        given = "" if first["type"] == "missing" else f" (given: {first['input']!r})"
        raise ParamsError(key or source, f"{first['msg']}{given}", f"Mend it in {source}, its recipe or the overrides.") from error
