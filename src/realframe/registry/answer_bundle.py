"""Fetch the answer bundle of a registered version (``registry.detector_folder``), and check that it is what was registered.

The bundle is in the folder of the logged model: the facts are in the metadata of ``MLmodel``, with the SHA-256 of the Keras file. The
digest is computed at registration from what was evaluated, is a tag of the version, and is recorded by each decision.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from realframe.errors import RegistryError
from realframe.files import compute_sha256
from realframe.registry import mlflow_runs
from realframe.registry.detector_folder import (
    MODEL_NAME,
    AnswerBundle,
    compute_digest,
    select_facts,
)
from realframe.registry.model_version import NAME, ModelVersion

_METADATA = "MLmodel"


@contextmanager
def open_registered(version: ModelVersion) -> Iterator[AnswerBundle]:
    """Fetch the bundle of a version and yield it; its files exist inside the context.

    Raises:
        RegistryError: a file is missing, or differs from what was registered. These are two messages: a missing file may have been moved.
    """
    mlflow_runs.connect()
    with tempfile.TemporaryDirectory() as temporary:
        folder = _download(version, Path(temporary))
        metadata = _read_metadata(version, folder)
        files = {MODEL_NAME: _check_model(version, folder, metadata["files"])}
        digest = _check_facts(version, metadata, files)
        yield AnswerBundle(folder / MODEL_NAME, select_facts(metadata), files, digest, str(version.version))


def read_facts(version: ModelVersion) -> dict[str, Any]:
    """Return the facts by which a version answers, without fetching its Keras file. Raises RegistryError as :func:`open_registered` does.

    A later evaluation replaces the evidence of a version, but not these.
    """
    mlflow_runs.connect()
    with tempfile.TemporaryDirectory() as temporary:
        _download(version, Path(temporary), f"/{_METADATA}")
        metadata = _read_metadata(version, Path(temporary))
        _check_facts(version, metadata, metadata["files"])
        return select_facts(metadata)


def is_on_this_machine(version: ModelVersion) -> bool:
    """Return whether the bundle of a version is in a folder, and not on a server from which it would be downloaded."""
    mlflow_runs.connect()
    return _find_location(version).startswith(("/", "file:"))


_CHANGED_HINT = "Restore the file from a backup, or return to the former champion: `realframe registry rollback`."


def _download(version: ModelVersion, target: Path, path: str = "") -> Path:
    try:
        return Path(mlflow.artifacts.download_artifacts(f"{version.uri}{path}", dst_path=str(target)))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise _missing(version, _METADATA) from error


def _read_metadata(version: ModelVersion, folder: Path) -> dict[str, Any]:
    """Return what was registered with the model, and the SHA-256 of its files as ``files``."""
    if not (folder / _METADATA).exists():
        raise _missing(version, _METADATA)
    try:
        metadata = dict((Model.load(str(folder)).metadata or {})["realframe"])
        return metadata | {"files": dict(metadata["files"])}
    except Exception as error:  # whatever MLflow and its YAML reader raise about a damaged file
        reason = f"its {_METADATA} was changed after registration, or was written by another version of realframe: it cannot be read"
        raise RegistryError(f"version {version.version}", reason, _CHANGED_HINT) from error


def _check_facts(version: ModelVersion, metadata: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """Return the digest of facts and files, which is the registered one."""
    digest = compute_digest(metadata, files)
    if digest != version.answer_digest:
        reason = f"its {_METADATA} was changed after registration: parameters, decision rule or calibration differ from the registered ones"
        raise RegistryError(f"version {version.version}", reason, _CHANGED_HINT)
    return digest


def _check_model(version: ModelVersion, folder: Path, registered: Mapping[str, str]) -> str:
    """Return the SHA-256 of the Keras file, which is that of the metadata and of the tag of the version."""
    if not (folder / MODEL_NAME).exists():
        raise _missing(version, MODEL_NAME)
    sha256 = compute_sha256(folder / MODEL_NAME)
    if {registered.get(MODEL_NAME), version.sha256} != {sha256}:
        reason = f"its {MODEL_NAME} was changed after registration: the SHA-256 differs from the registered one"
        raise RegistryError(f"version {version.version}", reason, _CHANGED_HINT)
    return sha256


def _missing(version: ModelVersion, name: str) -> RegistryError:
    location = _find_location(version)
    hint = "If the folder was moved, move it back; if it was deleted, restore it from a backup. Until then another version can serve."
    return RegistryError(f"version {version.version}", f"its {name} is missing in {location}", hint)


def _find_location(version: ModelVersion) -> str:
    """Return the address of the folder of the logged model."""
    client = MlflowClient()
    source = client.get_model_version_download_uri(NAME, str(version.version))
    if source.startswith("models:/m-"):
        return str(client.get_logged_model(source.removeprefix("models:/")).artifact_location)
    return str(source)
