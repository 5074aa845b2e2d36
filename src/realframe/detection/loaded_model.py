"""A version of the detector out of the registry, or out of the folder of a run."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import mlflow
from mlflow.models import Model
from pydantic import ValidationError

from realframe import artifacts, config
from realframe.config import Params
from realframe.detection.confidence import TrainingReference, VerdictRule
from realframe.errors import RegistryError
from realframe.evaluation.frame_scores import load_model
from realframe.files import sha256_of
from realframe.models.aggregate import Aggregate
from realframe.registry import evidence_bundle, model_registry


@dataclass(frozen=True)
class LoadedModel:
    """A trained model and what its evaluation found.

    Attributes:
        model: takes float32 RGB frames (N, size, size, 3) in [0, 255], gives the probability of ``fake``, (N, 1), or (1, 1) of a clip.
        run: the parameters with which it was trained: how files become frames and frames an item.
        aggregate: how the scores of frames become that of an item.
        rule: how an item's score becomes a verdict.
        reference: what its answers are held against.
        version: what it is called: its number, or the folder.
        origin: the digests of its file and of its evidence; None where it is not registered.
    """

    model: keras.Model
    params: Params
    aggregate: Aggregate
    rule: VerdictRule
    reference: TrainingReference
    version: str
    origin: tuple[str, str] | None


def load_detector_model(which: str) -> LoadedModel:
    """Load a version by number or alias, or the model in a folder.

    Raises:
        RegistryError: there is none, nobody has approved one, or its file is not the one that was registered.
    """
    if not which.isdecimal() and Path(which).is_dir():
        return _from_folder(Path(which))
    return _from_registry(model_registry.named(which))


def _from_folder(folder: Path) -> LoadedModel:
    files = [folder / path for path in (artifacts.MODEL, artifacts.METRICS, artifacts.RESOLVED)]
    if missing := [file for file in files if not file.exists()]:
        raise RegistryError(missing[0], "is not there, so the folder holds no evaluated model", "Run `realframe run train_model`.")
    metrics = json.loads(files[1].read_text())
    reference = TrainingReference.read(folder / artifacts.REFERENCE, folder / artifacts.SPLITS)
    rule = VerdictRule.of(metrics, files[1])
    return LoadedModel(load_model(files[0]), config.load(files[2]), metrics["aggregate"], rule, reference, str(folder), None)


def _from_registry(version: model_registry.ModelVersion) -> LoadedModel:
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(mlflow.artifacts.download_artifacts(version.uri, dst_path=folder))
        model, origin = _model(version, kept), _origin(kept)
    name = f"version {version.version}"
    try:
        params = Params.model_validate(origin["params"])
    except ValidationError as error:
        reason = f"was registered by a realframe with other parameters ({error.errors()[0]['loc']})"
        raise RegistryError(name, reason, "Train it anew with this realframe: `realframe run`.") from error
    rule, known_by = VerdictRule.of(origin, name), (version.sha256, version.evidence)
    return LoadedModel(model, params, origin["aggregate"], rule, _reference(version), str(version.version), known_by)


def _model(version: model_registry.ModelVersion, kept: Path) -> keras.Model:
    """Load the file of a version, if it is the one that was registered."""
    file = next(kept.rglob("*.keras"), None)
    if file is None or sha256_of(file) != version.sha256:
        reason = "its file is not the one that was registered and reviewed"
        raise RegistryError(f"version {version.version}", reason, "Roll back: `realframe registry rollback`.")
    return load_model(file)


def _origin(kept: Path) -> dict[str, Any]:
    """Return what was registered with the model: its parameters and its rule."""
    origin: dict[str, Any] = (Model.load(str(kept)).metadata or {})["realframe"]
    return origin


def _reference(version: model_registry.ModelVersion) -> TrainingReference:
    """Return a version's reference; one that was registered without evidence has none."""
    folder = evidence_bundle.fetch(version) if version.evidence else Path()
    return TrainingReference.read(folder / artifacts.REFERENCE.name, folder / artifacts.SPLITS.name)
