"""Load a trained model with what its evaluation found, from the model registry or from the folder of a run."""

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
from realframe.evaluation.network_scores import load_model
from realframe.files import compute_sha256
from realframe.models.aggregate import Aggregate
from realframe.registry import evidence_bundle, model_registry


@dataclass(frozen=True)
class LoadedModel:
    """A trained model and what its evaluation found.

    Attributes:
        model: takes float32 RGB frames (N, size, size, 3) in [0, 255], gives the probability of ``fake``, (N, 1), or (1, 1) of a clip.
        params: the parameters of its training: how files become frames, and frames an item.
        aggregate: how the scores of frames become the score of an item.
        rule: how the score of an item becomes a verdict; it holds the fitted temperature.
        reference: the training and validation items, for intervals and cautions.
        version: the number of the version, or the folder.
        digests: SHA-256 of its file and of its evidence; None where it is not registered.
    """

    model: keras.Model
    params: Params
    aggregate: Aggregate
    rule: VerdictRule
    reference: TrainingReference
    version: str
    digests: tuple[str, str] | None


def load_detector_model(model_ref: str) -> LoadedModel:
    """Load a version by number or alias, or the model in a folder.

    Raises:
        RegistryError: there is no such version, no version is approved, or its file is not the registered one.
    """
    if not model_ref.isdecimal() and Path(model_ref).is_dir():
        return _load_from_folder(Path(model_ref))
    return _load_from_registry(model_registry.resolve_version(model_ref))


def _load_from_folder(folder: Path) -> LoadedModel:
    files = [folder / path for path in (artifacts.MODEL, artifacts.METRICS, artifacts.RESOLVED_PARAMS)]
    if missing := [file for file in files if not file.exists()]:
        raise RegistryError(missing[0], "does not exist, so the folder holds no evaluated model", "Run `realframe run train_model`.")
    metrics = json.loads(files[1].read_text())
    reference = TrainingReference.read(folder / artifacts.TRAINING_REFERENCE, folder / artifacts.SPLITS)
    rule = VerdictRule.from_evaluation(metrics, files[1])
    return LoadedModel(load_model(files[0]), config.load_params(files[2]), metrics["aggregate"], rule, reference, str(folder), None)


def _load_from_registry(version: model_registry.ModelVersion) -> LoadedModel:
    with tempfile.TemporaryDirectory() as folder:
        downloaded = Path(mlflow.artifacts.download_artifacts(version.uri, dst_path=folder))
        model, metadata = _load_registered_file(version, downloaded), _read_metadata(downloaded)
    name = f"version {version.version}"
    try:
        params = Params.model_validate(metadata["params"])
    except ValidationError as error:
        reason = f"was registered by another version of realframe: parameter {'.'.join(map(str, error.errors()[0]['loc']))} is not valid"
        raise RegistryError(name, reason, "Train a new version: `realframe run`.") from error
    rule, digests = VerdictRule.from_evaluation(metadata, name), (version.sha256, version.evidence_digest)
    return LoadedModel(model, params, metadata["aggregate"], rule, _read_reference(version), str(version.version), digests)


def _load_registered_file(version: model_registry.ModelVersion, downloaded: Path) -> keras.Model:
    """Load the model file of a version after a check of its digest."""
    file = next(downloaded.rglob("*.keras"), None)
    if file is None or compute_sha256(file) != version.sha256:
        reason = "the SHA-256 of its file differs from the registered one"
        raise RegistryError(f"version {version.version}", reason, "Roll back: `realframe registry rollback`.")
    return load_model(file)


def _read_metadata(downloaded: Path) -> dict[str, Any]:
    """Return what was registered with the model: its parameters, threshold, temperature and band."""
    metadata: dict[str, Any] = (Model.load(str(downloaded)).metadata or {})["realframe"]
    return metadata


def _read_reference(version: model_registry.ModelVersion) -> TrainingReference:
    """Return the training reference of a version; an empty one where it was registered without evidence."""
    folder = evidence_bundle.fetch(version) if version.evidence_digest else Path()
    return TrainingReference.read(folder / artifacts.TRAINING_REFERENCE.name, folder / artifacts.SPLITS.name)
