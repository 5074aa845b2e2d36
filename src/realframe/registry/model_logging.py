"""Turns the trained Keras file into an MLflow model: the very bytes that were evaluated, with signature, input example and origin.

Puts a trained and evaluated model, and the evidence that speaks for it, into the MLflow run of its training.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras
import mlflow
import mlflow.keras
import numpy as np
import tensorflow as tf
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from realframe import artifacts, config
from realframe.config import leaves
from realframe.errors import RegistryError
from realframe.files import sha256_of
from realframe.registry import evidence_bundle, mlflow_runs
from realframe.registry.model_version import figures_of, tags_of

_GREY = 127.5


class _KerasFile:
    """MLflow's Keras flavour, but for a file that is there already.

    MLflow saves the model anew, into other bytes than those that were evaluated and whose hash the ledger keeps; and it fails with an
    input example (mlflow issue 16183), since it writes that into a folder that it has not made yet.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def save_model(self, path: str, **facts: Any) -> None:
        facts.pop("validate_serving_input")  # it is for MLflow, which hands it on
        folder = Path(path)
        folder.mkdir(parents=True)
        mlflow.keras.save_model(path=path, **facts)
        shutil.copyfile(self._file, folder / "data" / "model.keras")


def log_keras_file(path: Path, name: str, origin: dict[str, Any]) -> str:
    """Log a ``.keras`` file into the active MLflow run and return the address of the logged model.

    The file is loaded in safe mode: one that carries code is refused here and not where it serves.

    Args:
        path: takes float32 RGB (None, size, size, 3) in [0, 255], gives (None, 1) the probability of ``fake``.
        name: of the logged model.
        origin: goes into the model's metadata as ``realframe``.

    Raises:
        RegistryError: the file carries code or is no Keras file.
    """
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except ValueError as error:
        hint = "Build the model of layers that need no code of their own."
        raise RegistryError(path, f"can't be loaded in safe mode: {error}", hint) from error
    frame = model.input_shape[1:]
    takes, gives = (TensorSpec(np.dtype(np.float32), (-1, *shape)) for shape in (frame, (1,)))
    logged = Model.log(
        None,
        _KerasFile(path),
        name=name,
        flavor_name="keras",
        model=model,
        signature=ModelSignature(Schema([takes]), Schema([gives])),
        input_example=np.full((1, *frame), _GREY, np.float32),
        validate_serving_input=False,  # a second load and a prediction, for an example that has the model's own shape
        metadata={"realframe": origin},
        pip_requirements=[f"{package.__name__}=={package.__version__}" for package in (keras, tf, np)],
    )
    return str(logged.model_uri)


_ORIGIN = ("dataset", "commit", "recipe", "weights", "sha256")


@dataclass(frozen=True)
class Evaluated:
    """What stages left in a folder.

    Attributes:
        folder: where they ran.
        training: the content of ``models/training.json``.
        metrics: the content of ``reports/metrics.json``.
        resolved: the parameters, nested.
        sha256: of the Keras file.
    """

    folder: Path
    training: dict[str, Any]
    metrics: dict[str, Any]
    resolved: dict[str, Any]
    sha256: str

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read them. Raises RegistryError where there is no evaluated model."""
        files = [folder / path for path in (artifacts.MODEL, artifacts.TRAINING, artifacts.METRICS, artifacts.RESOLVED)]
        if missing := [file for file in files if not file.exists()]:
            hint = "Run the pipeline first: `realframe run train_model`."
            raise RegistryError(missing[0], "is not there, so there is no evaluated model", hint)
        training, metrics = (json.loads(file.read_text()) for file in files[1:3])
        return cls(folder, training, metrics, config.load(files[3]).model_dump(mode="json", exclude_none=True), sha256_of(files[0]))

    def log(self, name: str, commit: str, trainer: str) -> tuple[str, dict[str, str]]:
        """Log model and evidence; return the model's address and the tags of its version.

        Args:
            name: of the registered model.
            commit: of the run.
            trainer: who started it.
        """
        tags = tags_of(self.sha256, self.training, self.metrics, commit) | {"realframe.trainer": trainer}
        origin = {
            "params": self.resolved,
            **{fact: self.metrics[fact] for fact in ("threshold", "aggregate", "temperature", "band")},
            **{fact: tags[f"realframe.{fact}"] for fact in _ORIGIN},
        }
        with self._run():
            uri = log_keras_file(self.folder / artifacts.MODEL, name, origin)
            return uri, tags | {"realframe.evaluation": evidence_bundle.log(self.folder)}

    @contextmanager
    def _run(self) -> Iterator[None]:
        """Open the run in which the model was trained, or make one in its place."""
        if mlflow_runs.exists(self.training["run_id"]):
            with mlflow_runs.resume_run(self.training["run_id"]):
                yield
            return
        tags = {"realframe.restored": self.training["run_id"], mlflow_runs.DATASET_TAG: self.training["dataset"]}
        with mlflow.start_run(experiment_id=mlflow_runs.connect(), run_name=self.training["recipe"], tags=tags):
            mlflow.log_params({key: str(value) for key, value in leaves(self.resolved)})
            mlflow.log_metrics(_flat(self.metrics))
            yield


def _flat(metrics: Mapping[str, Any]) -> dict[str, float]:
    levels = figures_of(metrics["test"]).items()
    figures = {f"test_{level}_{name}": entry["value"] for level, entries in levels for name, entry in entries.items()}
    return {name: value for name, value in figures.items() if value is not None}
