"""Register versions of the model ``realframe`` in MLflow's registry, look them up, and set their aliases ``challenger`` and ``champion``.

A Keras file is registered once, by its content. ``realframe.governance`` decides which version becomes champion; this module only sets
the alias.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from realframe.errors import RegistryError
from realframe.registry import evidence_bundle, mlflow_runs, run_figures, version_description
from realframe.registry.model_logging import EvaluatedModel
from realframe.registry.model_version import ALLOWED, NAME, ModelVersion, evaluation_tags, format_metric_with_interval, parse_version
from realframe.settings import get_settings

__all__ = ["CHALLENGER", "CHAMPION", "NAME", "ModelVersion", "format_metric_with_interval"]
CHALLENGER, CHAMPION = "challenger", "champion"
_snapshot: ContextVar[list[ModelVersion] | None] = ContextVar("snapshot", default=None)


def register_folder(folder: Path, *, commit: str, trainer: str = "") -> int:
    """Register the model of a run's folder as the challenger and return its version; the same bytes are always the same version.

    The model is logged to its training run, with its evidence. If this tracking server does not have that run, because the model came
    from the DVC cache, a run with the tag ``realframe.restored`` takes its place.

    Args:
        folder: where the stages ran.
        commit: commit of the run.
        trainer: who started the run; if the same model is trained again, its first trainer stays.

    Raises:
        RegistryError: the folder holds no evaluated model.
    """
    model = EvaluatedModel.load(folder)
    list_versions()  # a server that does not answer must not be waited for while the lock is held
    with FileLock(get_settings().state_dir / "registry.lock"):
        known = next((version for version in list_versions() if version.sha256 == model.sha256), None)
        number = known.version if known else _register(model, commit, trainer)
        if known is None or not (known.aliases or known.decision):
            set_alias(CHALLENGER, number)
    return number


def refresh_evidence(version: int, folder: Path) -> None:
    """Replace a version's figures and evidence, from a folder in which the same model was evaluated again. Raises RegistryError.

    The mark that file facts alone tell its dataset's classes apart is never removed.
    """
    model, known = EvaluatedModel.load(folder), get_version(version)
    if model.sha256 != known.sha256:
        reason = f"has another SHA-256 than the model in {folder}"
        raise RegistryError(f"version {version}", reason, "Register that model as a new version: `realframe registry register`.")
    with mlflow_runs.resume_mlflow_run(known.mlflow_run_id):
        run_figures.log_figures(model.metrics)
        tags = evaluation_tags(model.metrics) | {"realframe.evidence_digest": evidence_bundle.log(folder)}
    if known.shortcuts == ALLOWED:
        tags["realframe.shortcuts"] = ALLOWED
    for key, value in tags.items():
        _client().set_model_version_tag(NAME, str(version), key, value)
    _describe(version, model)


@contextmanager
def read_versions_once() -> Iterator[None]:
    """Read the registry now and not again in this block, where each function of this module sees the same versions and aliases.

    For blocks that only read: what they would change is not seen until they end.
    """
    token = _snapshot.set(list_versions())
    try:
        yield
    finally:
        _snapshot.reset(token)


def list_versions() -> list[ModelVersion]:
    """Return all versions that ``register_folder`` registered, oldest first."""
    snapshot = _snapshot.get()
    if snapshot is not None:
        return list(snapshot)
    client = _client()
    own_versions = [version for version in _search_versions(client) if "realframe.sha256" in version.tags]
    models = client.search_registered_models(f"name='{NAME}'")  # after the tags: a decision sets the alias first and its tag last
    aliases = models[0].aliases if models else {}
    server = mlflow.get_tracking_uri()
    parsed = (
        parse_version(version, aliases, _read_run_metrics(server, version.run_id, version.tags.get("realframe.evidence_digest", "")))
        for version in own_versions
    )
    return sorted(parsed, key=lambda version: version.version)


def get_version(version: int) -> ModelVersion:
    """Return a version by its number. Raises RegistryError."""
    candidates = list_versions()
    for candidate in candidates:
        if candidate.version == version:
            return candidate
    known = ", ".join(str(other.version) for other in candidates) or "none yet: `realframe run`"
    raise RegistryError(f"version {version}", "is not in the registry", f"Registered versions: {known}.")


def find_by_alias(alias: str) -> ModelVersion | None:
    """Return the version that an alias points to, or None."""
    return next((version for version in list_versions() if alias in version.aliases), None)


def find_champion() -> ModelVersion | None:
    """Return the champion, which is the version that serves, or None."""
    return find_by_alias(CHAMPION)


def get_challenger() -> ModelVersion:
    """Return the challenger, which is the version that waits for a decision. Raises RegistryError if there is none."""
    version = find_by_alias(CHALLENGER)
    if version is None:
        raise RegistryError(CHALLENGER, "no version waits for a decision", "Train one: `realframe run train_model`.")
    return version


def resolve_version(number_or_alias: str) -> ModelVersion:
    """Return the version with a number or an alias. Raises RegistryError."""
    if number_or_alias.isdecimal():
        return get_version(int(number_or_alias))
    if number_or_alias == CHALLENGER:
        return get_challenger()
    version = find_by_alias(number_or_alias)
    if version is None and number_or_alias == CHAMPION:
        hint = "Approve one: `realframe registry list`, then `realframe registry approve VERSION`."
        if not list_versions():
            hint = "There is no version yet. Train one on your own files: `realframe ingest PATH`, then `realframe run`."
        raise RegistryError(CHAMPION, "no version of the detector has been approved yet", hint)
    if version is None:
        raise RegistryError(
            number_or_alias, "is neither the number nor an alias of a version", "List the versions: `realframe registry list`."
        )
    return version


def set_alias(alias: str, version: int) -> None:
    """Point an alias to a version."""
    _client().set_registered_model_alias(NAME, alias, str(version))


def delete_alias(alias: str) -> None:
    """Delete an alias."""
    _client().delete_registered_model_alias(NAME, alias)


def set_decision(version: int, decision: str) -> None:
    """Tag a version with the ledger entry of the last decision on it."""
    _client().set_model_version_tag(NAME, str(version), "realframe.decision", decision)


def _register(model: EvaluatedModel, commit: str, trainer: str) -> int:
    uri, tags = model.log(NAME, commit, trainer)
    with redirect_stderr(io.StringIO()):  # MLflow prints the version; its errors are exceptions
        number = int(mlflow.register_model(uri, NAME, tags=tags).version)
    client = _client()
    if not client.get_registered_model(NAME).description:
        client.update_registered_model(NAME, version_description.MODEL_DESCRIPTION)
    _describe(number, model)
    return number


def _describe(number: int, model: EvaluatedModel) -> None:
    """Set the description of a version, and of its run."""
    client, version = _client(), get_version(number)
    run = client.get_run(version.mlflow_run_id)
    text = version_description.describe_version(version, model.metrics, run.info.experiment_id, get_settings().page_url)
    client.update_model_version(NAME, str(number), text)
    client.set_tag(version.mlflow_run_id, "mlflow.note.content", text)


@lru_cache(maxsize=1000)
def _read_run_metrics(server: str, run_id: str, evidence_digest: str) -> dict[str, float]:
    """Return the metrics of a run; they are read again where another evaluation has replaced the evidence. Empty if it was deleted."""
    try:
        return dict(MlflowClient().get_run(run_id).data.metrics)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}


def _search_versions(client: MlflowClient) -> Iterator[MlflowVersion]:
    token = None
    while True:
        page = client.search_model_versions(f"name='{NAME}'", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _client() -> MlflowClient:
    mlflow_runs.connect_registry()
    return MlflowClient()
