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

from bonafide import artefacts, params
from bonafide.detection.reference import Reference
from bonafide.detection.rule import Rule
from bonafide.errors import RegistryError
from bonafide.evaluation.predict import load_model
from bonafide.files import sha256_of
from bonafide.models.aggregate import Aggregate
from bonafide.params import Params
from bonafide.tracking import evidence, registry


@dataclass(frozen=True)
class Loaded:
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
    run: Params
    aggregate: Aggregate
    rule: Rule
    reference: Reference
    version: str
    origin: tuple[str, str] | None


def load(which: str) -> Loaded:
    """Load a version by number or alias, or the model in a folder.

    Raises:
        RegistryError: there is none, nobody has approved one, or its file is not the one that was registered.
    """
    if not which.isdecimal() and Path(which).is_dir():
        return _from_folder(Path(which))
    return _from_registry(registry.named(which))


def _from_folder(folder: Path) -> Loaded:
    files = [folder / path for path in (artefacts.MODEL, artefacts.METRICS, artefacts.RESOLVED)]
    if missing := [file for file in files if not file.exists()]:
        raise RegistryError(missing[0], "is not there, so the folder holds no evaluated model", "Run `bonafide run train_model`.")
    metrics = json.loads(files[1].read_text())
    reference = Reference.read(folder / artefacts.REFERENCE, folder / artefacts.SPLITS)
    rule = Rule.of(metrics, files[1])
    return Loaded(load_model(files[0]), params.load(files[2]), metrics["aggregate"], rule, reference, str(folder), None)


def _from_registry(version: registry.ModelVersion) -> Loaded:
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(mlflow.artifacts.download_artifacts(version.uri, dst_path=folder))
        model, origin = _model(version, kept), _origin(kept)
    name = f"version {version.version}"
    try:
        run = Params.model_validate(origin["params"])
    except ValidationError as error:
        reason = f"was registered by a bonafide with other parameters ({error.errors()[0]['loc']})"
        raise RegistryError(name, reason, "Train it anew with this bonafide: `bonafide run`.") from error
    rule, known_by = Rule.of(origin, name), (version.sha256, version.evidence)
    return Loaded(model, run, origin["aggregate"], rule, _reference(version), str(version.version), known_by)


def _model(version: registry.ModelVersion, kept: Path) -> keras.Model:
    """Load the file of a version, if it is the one that was registered."""
    file = next(kept.rglob("*.keras"), None)
    if file is None or sha256_of(file) != version.sha256:
        reason = "its file is not the one that was registered and reviewed"
        raise RegistryError(f"version {version.version}", reason, "Roll back: `bonafide registry rollback`.")
    return load_model(file)


def _origin(kept: Path) -> dict[str, Any]:
    """Return what was registered with the model: its parameters and its rule."""
    origin: dict[str, Any] = (Model.load(str(kept)).metadata or {})["bonafide"]
    return origin


def _reference(version: registry.ModelVersion) -> Reference:
    """Return a version's reference; one that was registered without evidence has none."""
    folder = evidence.fetch(version) if version.evidence else Path()
    return Reference.read(folder / artefacts.REFERENCE.name, folder / artefacts.SPLITS.name)
