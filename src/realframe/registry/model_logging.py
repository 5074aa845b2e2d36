"""Log an evaluated Keras model and its evidence bundle to the MLflow run of its training.

The logged file has the same bytes as the evaluated one, and comes with a signature, an input example and its origin.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import mlflow
import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from realframe import artifacts, config
from realframe.config import flatten
from realframe.errors import RegistryError
from realframe.files import compute_sha256
from realframe.registry import detector_folder, evidence_bundle, mlflow_runs, mlflow_server, run_facts, run_figures
from realframe.registry.model_version import version_tags

_GRAY = 127.5  # of the input example
_ORIGIN = ("dataset", "commit", "recipe", "weights", "sha256")  # tags that are copied to the model's metadata


@dataclass(frozen=True)
class EvaluatedModel:
    """A trained and evaluated model in the folder of a run.

    Attributes:
        folder: where the stages ran.
        training: the content of ``models/training.json``.
        metrics: the content of ``reports/metrics.json``.
        params: the resolved parameters, nested.
        sha256: SHA-256 of the Keras file.
    """

    folder: Path
    training: dict[str, Any]
    metrics: dict[str, Any]
    params: dict[str, Any]
    sha256: str

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the artifacts of a run. Raises RegistryError if there is no evaluated model."""
        files = [folder / path for path in (artifacts.MODEL, artifacts.TRAINING, artifacts.METRICS, artifacts.RESOLVED_PARAMS)]
        if missing := [file for file in files if not file.exists()]:
            hint = "Run the pipeline first: `realframe run train_model`."
            raise RegistryError(missing[0], "does not exist, so there is no evaluated model", hint)
        training, metrics = (json.loads(file.read_text()) for file in files[1:3])
        return cls(
            folder, training, metrics, config.load_params(files[3]).model_dump(mode="json", exclude_none=True), compute_sha256(files[0])
        )

    def log(self, name: str, commit: str, trainer: str) -> tuple[str, dict[str, str]]:
        """Log the model and its evidence; return the URI of the model and the tags of its version.

        Args:
            name: name of the registered model.
            commit: commit of the run.
            trainer: who started the run.
        """
        tags = version_tags(self.sha256, self.training, self.metrics, commit) | ({"realframe.trainer": trainer} if trainer else {})
        bundle = detector_folder.read_run_folder(self.folder)
        origin = {
            **bundle.facts,
            **{fact: tags[f"realframe.{fact}"] for fact in _ORIGIN},
            "files": bundle.files,
        }
        with self._open_training_run():
            run = mlflow.active_run()
            assert run is not None
            if run.info.run_id != self.training["run_id"]:
                tags["realframe.run_id"] = self.training["run_id"]
            uri = log_keras_file(self.folder / artifacts.MODEL, name, origin)
            run_figures.log_figures(self.metrics)
            digests = {"realframe.evidence_digest": evidence_bundle.log(self.folder), "realframe.answer_digest": bundle.digest}
            return uri, tags | digests

    @contextmanager
    def _open_training_run(self) -> Iterator[None]:
        """Resume the run in which the model was trained, or create one in its place."""
        if mlflow_runs.run_exists(self.training["run_id"]):
            with mlflow_runs.resume_mlflow_run(self.training["run_id"]):
                yield
            return
        recipe, dataset = self.training["recipe"], self.training["dataset"]
        tags = {
            "realframe.restored": self.training["run_id"],
            mlflow_runs.DATASET_TAG: dataset,
            **run_facts.source_tags("pipelines/train.py"),
        }
        with mlflow.start_run(experiment_id=mlflow_runs.connect(), run_name=run_facts.name_run(recipe, dataset), tags=tags):
            mlflow.log_params({key: str(value) for key, value in flatten(self.params)})
            run_facts.log_datasets(self.folder / artifacts.SPLITS, dataset, self.metrics.get("test_split", ""))
            yield


def log_keras_file(path: Path, name: str, origin: dict[str, Any]) -> str:
    """Log a ``.keras`` file to the active MLflow run and return the URI of the logged model.

    An older server than MLflow 3 has no logged models; there the same folder becomes an artifact of the run.
    The file is loaded in safe mode: a file that contains code is refused here, and not when it serves.

    Args:
        path: a model that maps float32 RGB (None, size, size, 3) in [0, 255] to the probability of ``fake``, (None, 1).
        name: name of the logged model.
        origin: written to the model's metadata as ``realframe``.

    Raises:
        RegistryError: the file contains code or is not a Keras file.
    """
    import keras
    import tensorflow as tf  # not at the top: the web process imports this module, but not TensorFlow

    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except ValueError as error:
        hint = "Build the model from layers without custom code."
        raise RegistryError(path, f"cannot be loaded in safe mode: {error}", hint) from error
    frame = model.input_shape[1:]
    input_spec, output_spec = (TensorSpec(np.dtype(np.float32), (-1, *shape)) for shape in (frame, (1,)))
    flavor, metadata = _KerasFile(path), {"realframe": origin}
    facts = {
        "model": model,
        "signature": ModelSignature(Schema([input_spec]), Schema([output_spec])),
        "input_example": np.full((1, *frame), _GRAY, np.float32),
        "validate_serving_input": False,  # it would load the model again, only to check an example that has the shape of the model's input
        "pip_requirements": [f"{package.__name__}=={package.__version__}" for package in (keras, tf, np)],
    }
    run = mlflow.active_run()
    assert run is not None
    if mlflow_server.has_logged_models(run.info.experiment_id):
        return str(Model.log(None, flavor, name=name, flavor_name="keras", metadata=metadata, **facts).model_uri)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / name
        entry = Model(artifact_path=name, run_id=run.info.run_id, metadata=metadata)
        flavor.save_model(str(folder), mlflow_model=entry, **facts)
        mlflow.log_artifacts(str(folder), name)
    return f"runs:/{run.info.run_id}/{name}"


class _KerasFile:
    """MLflow's Keras flavor for an existing file.

    MLflow saves the model again, which gives other bytes than those that were evaluated and whose hash the ledger holds. With an input
    example it fails (mlflow issue 16183), since it writes the example to a folder that it has not created yet.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def save_model(self, path: str, **facts: Any) -> None:
        import mlflow.keras

        facts.pop("validate_serving_input")  # MLflow passes it on, but the Keras flavor does not accept it
        folder = Path(path)
        folder.mkdir(parents=True)
        mlflow.keras.save_model(path=path, **facts)
        (folder / detector_folder.MODEL_NAME).parent.mkdir(exist_ok=True)
        shutil.copyfile(self._file, folder / detector_folder.MODEL_NAME)
