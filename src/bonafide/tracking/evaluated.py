"""Puts a trained and evaluated model, and the evidence that speaks for it, into the MLflow run of its training."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import mlflow

from bonafide import artefacts, params
from bonafide.errors import RegistryError
from bonafide.files import sha256_of
from bonafide.params import leaves
from bonafide.tracking import evidence, experiment
from bonafide.tracking.version import figures_of, tags_of

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
        files = [folder / path for path in (artefacts.MODEL, artefacts.TRAINING, artefacts.METRICS, artefacts.RESOLVED)]
        if missing := [file for file in files if not file.exists()]:
            cure = "Run the pipeline first: `bonafide run train_model`."
            raise RegistryError(missing[0], "is not there, so there is no evaluated model", cure)
        training, metrics = (json.loads(file.read_text()) for file in files[1:3])
        return cls(folder, training, metrics, params.load(files[3]).model_dump(mode="json", exclude_none=True), sha256_of(files[0]))

    def log(self, name: str, commit: str, trainer: str) -> tuple[str, dict[str, str]]:
        """Log model and evidence; return the model's address and the tags of its version.

        Args:
            name: of the registered model.
            commit: of the run.
            trainer: who started it.
        """
        from bonafide.tracking.packaging import log_keras_file  # TensorFlow

        tags = tags_of(self.sha256, self.training, self.metrics, commit) | {"bonafide.trainer": trainer}
        origin = {
            "params": self.resolved,
            **{fact: self.metrics[fact] for fact in ("threshold", "aggregate", "temperature", "band")},
            **{fact: tags[f"bonafide.{fact}"] for fact in _ORIGIN},
        }
        with self._run():
            uri = log_keras_file(self.folder / artefacts.MODEL, name, origin)
            return uri, tags | {"bonafide.evidence": evidence.log(self.folder)}

    @contextmanager
    def _run(self) -> Iterator[None]:
        """Open the run in which the model was trained, or make one in its place."""
        if experiment.exists(self.training["run_id"]):
            with experiment.resume_run(self.training["run_id"]):
                yield
            return
        tags = {"bonafide.restored": self.training["run_id"], experiment.DATASET_TAG: self.training["dataset"]}
        with mlflow.start_run(experiment_id=experiment.connect(), run_name=self.training["recipe"], tags=tags):
            mlflow.log_params({key: str(value) for key, value in leaves(self.resolved)})
            mlflow.log_metrics(_flat(self.metrics))
            yield


def _flat(metrics: Mapping[str, Any]) -> dict[str, float]:
    levels = figures_of(metrics["test"]).items()
    figures = {f"test_{level}_{name}": entry["value"] for level, entries in levels for name, entry in entries.items()}
    return {name: value for name, value in figures.items() if value is not None}
