"""The model registry: the versions of the detector ``bonafide``, and the aliases ``challenger`` and ``champion``.

A version is registered once per content of its Keras file. What the reviewer needs to know stands on it as tags, so that MLflow's own
pages show it too. Who becomes champion is decided in ``bonafide.review``; this module only carries it out.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.tracking import MlflowClient

from bonafide import artefacts, params
from bonafide.errors import RegistryError
from bonafide.files import sha256_of
from bonafide.params import leaves
from bonafide.settings import get_settings
from bonafide.tracking import experiment

NAME = "bonafide"
CHALLENGER, CHAMPION = "challenger", "champion"
_LEVELS = ("item", "frame")  # the second where frames are scored
_SHOWN = ("roc_auc", "accuracy", "f1")  # as tags that people read


@dataclass(frozen=True)
class ModelVersion:
    """A registered version of the detector.

    Attributes:
        version: its number, from 1.
        run_id: the MLflow run of its training, also where this server knows another one in its place.
        aliases: ``challenger``, ``champion`` or what else points to it.
        created: when it was registered, UTC, ISO 8601.
        sha256: of its Keras file.
        dataset: the version of the dataset that it was trained and tested on.
        commit: the commit of its run.
        recipe: the name of its recipe.
        weights: what its backbone started from.
        threshold: a score at or above it is called fake.
        figures: level (``item``, ``frame``) -> figure -> ``value``, ``low``, ``high`` on the test split.
        floor: the same of the floor.
        below_floor: it ranks the test items worse than the floor does.
        decision: where the ledger holds the last decision on it: ``<sequence> <hash>``, or empty.
    """

    version: int
    run_id: str
    aliases: tuple[str, ...]
    created: str
    sha256: str
    dataset: str
    commit: str
    recipe: str
    weights: str
    threshold: float
    figures: dict[str, dict[str, Any]]
    floor: dict[str, dict[str, Any]]
    below_floor: bool
    decision: str

    @property
    def uri(self) -> str:
        """Its address in MLflow."""
        return f"models:/{NAME}/{self.version}"


def register_folder(folder: Path, *, commit: str) -> int:
    """Register the model of a run's folder as the challenger and return its version; the same bytes again are the same version.

    It is logged into its training run. Where this tracking server does not know that run, because the model came from the DVC cache, a
    run tagged ``bonafide.restored`` takes its place.

    Args:
        folder: where the stages ran.
        commit: of the run.

    Raises:
        RegistryError: the folder holds no evaluated model.
    """
    files = [folder / path for path in (artefacts.MODEL, artefacts.TRAINING, artefacts.METRICS, artefacts.RESOLVED)]
    if missing := [file for file in files if not file.exists()]:
        raise RegistryError(
            missing[0], "is not there, so there is no evaluated model", "Run the pipeline first: `bonafide run train_model`."
        )
    model, training, metrics = files[0], json.loads(files[1].read_text()), json.loads(files[2].read_text())
    resolved = params.load(files[3]).model_dump(mode="json", exclude_none=True)
    tags = _tags(sha256_of(model), training, metrics, commit)
    with FileLock(get_settings().state / "registry.lock"):
        known = next((version for version in versions() if version.sha256 == tags["bonafide.sha256"]), None)
        number = known.version if known else _register(model, training, metrics, resolved, tags)
        if known is None or not (known.aliases or known.decision):
            set_alias(CHALLENGER, number)
    return number


def versions() -> list[ModelVersion]:
    """Return all versions that bonafide registered, oldest first."""
    client = _client()
    found = client.search_registered_models(f"name='{NAME}'")
    if not found:
        return []
    aliases = found[0].aliases
    listed = [_read(version, aliases) for version in _pages(client) if "bonafide.sha256" in version.tags]
    return sorted(listed, key=lambda version: version.version)


def get(version: int) -> ModelVersion:
    """Return a version by its number. Raises RegistryError."""
    every = versions()
    for candidate in every:
        if candidate.version == version:
            return candidate
    known = ", ".join(str(other.version) for other in every) or "none yet: `bonafide run`"
    raise RegistryError(f"version {version}", "there is no such version in the registry", f"There are: {known}.")


def by_alias(alias: str) -> ModelVersion | None:
    """Return the version that an alias points to, or None."""
    return next((version for version in versions() if alias in version.aliases), None)


def champion() -> ModelVersion | None:
    """Return the version that serves, or None."""
    return by_alias(CHAMPION)


def challenger() -> ModelVersion:
    """Return the version that waits for a decision. Raises RegistryError."""
    found = by_alias(CHALLENGER)
    if found is None:
        raise RegistryError(CHALLENGER, "no version waits for a decision", "Train one: `bonafide run train_model`.")
    return found


def named(which: str) -> ModelVersion:
    """Return a version by its number or by an alias that points to it. Raises RegistryError."""
    if which.isdecimal():
        return get(int(which))
    if which == CHALLENGER:
        return challenger()
    found = by_alias(which)
    if found is None and which == CHAMPION:
        cure = "Approve one: `bonafide registry list`, then `bonafide registry approve VERSION`."
        raise RegistryError(CHAMPION, "no version of the detector has been approved yet", cure)
    if found is None:
        raise RegistryError(which, "is no number and no alias of a version", "See `bonafide registry list`.")
    return found


def set_alias(alias: str, version: int) -> None:
    """Point an alias to a version."""
    _client().set_registered_model_alias(NAME, alias, str(version))


def drop_alias(alias: str) -> None:
    """Remove an alias."""
    _client().delete_registered_model_alias(NAME, alias)


def note_decision(version: int, decision: str) -> None:
    """Write on a version where the ledger holds the decision on it."""
    _client().set_model_version_tag(NAME, str(version), "bonafide.decision", decision)


def shown(figure: Mapping[str, float | None]) -> str:
    """Return a figure as people read it: ``0.871 (0.802 to 0.933)``."""
    if figure["value"] is None:
        return "unknown"
    interval = f" ({figure['low']:.3f} to {figure['high']:.3f})" if figure.get("low") is not None else ""
    return f"{figure['value']:.3f}{interval}"


def _register(
    model: Path, training: Mapping[str, Any], metrics: Mapping[str, Any], resolved: dict[str, Any], tags: Mapping[str, str]
) -> int:
    from bonafide.tracking.packaging import log_keras_file  # TensorFlow

    origin = {
        "params": resolved,
        "threshold": metrics["threshold"],
        "aggregate": metrics["aggregate"],
        **{name: tags[f"bonafide.{name}"] for name in ("dataset", "commit", "recipe", "weights", "sha256")},
    }
    with _training_run(training, metrics, resolved):
        uri = log_keras_file(model, NAME, origin)
    return int(mlflow.register_model(uri, NAME, tags=dict(tags)).version)


@contextmanager
def _training_run(training: Mapping[str, Any], metrics: Mapping[str, Any], resolved: dict[str, Any]) -> Iterator[None]:
    """Open the run in which the model was trained, or make one in its place."""
    if experiment.exists(training["run_id"]):
        with experiment.resume_run(training["run_id"]):
            yield
        return
    tags = {"bonafide.restored": training["run_id"], experiment.DATASET_TAG: training["dataset"]}
    levels = _figures(metrics["test"]).items()
    figures = {f"test_{level}_{name}": entry["value"] for level, entries in levels for name, entry in entries.items()}
    with mlflow.start_run(experiment_id=experiment.connect(), run_name=training["recipe"], tags=tags):
        mlflow.log_params({key: str(value) for key, value in leaves(resolved)})
        mlflow.log_metrics({name: value for name, value in figures.items() if value is not None})
        yield


def _tags(sha256: str, training: Mapping[str, Any], metrics: Mapping[str, Any], commit: str) -> dict[str, str]:
    figures, floor = _figures(metrics["test"]), _figures(metrics["floor"]["test"])
    readable = {f"{level}_{name}": shown(figures[level][name]) for level in figures for name in _SHOWN}
    return {
        **readable,
        "floor_item_roc_auc": shown(floor["item"]["roc_auc"]),
        "bonafide.run_id": training["run_id"],
        "bonafide.sha256": sha256,
        "bonafide.dataset": training["dataset"],
        "bonafide.commit": commit,
        "bonafide.recipe": training["recipe"],
        "bonafide.weights": training["weights"]["name"],
        "bonafide.threshold": repr(metrics["threshold"]),
        "bonafide.figures": json.dumps(figures),
        "bonafide.floor": json.dumps(floor),
        "bonafide.below_floor": json.dumps(metrics["below_floor"]),
    }


def _figures(split: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return those entries of one split of ``reports/metrics.json`` that are figures, with their intervals."""
    return {
        level: {name: e for name, e in split[level].items() if isinstance(e, dict) and "value" in e} for level in _LEVELS if level in split
    }


def _read(version: MlflowVersion, aliases: Mapping[str, str]) -> ModelVersion:
    tags = version.tags
    return ModelVersion(
        version=int(version.version),
        aliases=tuple(sorted(alias for alias, number in aliases.items() if int(number) == int(version.version))),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        **{name: tags[f"bonafide.{name}"] for name in ("run_id", "sha256", "dataset", "commit", "recipe", "weights")},
        threshold=float(tags["bonafide.threshold"]),
        figures=json.loads(tags["bonafide.figures"]),
        floor=json.loads(tags["bonafide.floor"]),
        below_floor=json.loads(tags["bonafide.below_floor"]),
        decision=tags.get("bonafide.decision", ""),
    )


def _pages(client: MlflowClient) -> Iterator[MlflowVersion]:
    token = None
    while True:
        page = client.search_model_versions(f"name='{NAME}'", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _client() -> MlflowClient:
    experiment.connect()
    return MlflowClient()
