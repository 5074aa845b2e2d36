"""The model registry: the versions of the detector ``realframe``, and the aliases ``challenger`` and ``champion``.

A version is registered once per content of its Keras file. Who becomes champion is decided in ``realframe.governance``; this module only
carries it out.
"""

from collections.abc import Iterator
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.tracking import MlflowClient

from realframe.errors import RegistryError
from realframe.registry import evidence_bundle, mlflow_runs
from realframe.registry.model_logging import Evaluated
from realframe.registry.model_version import ALLOWED, ModelVersion, evaluated_tags, read, shown
from realframe.settings import get_settings

__all__ = ["CHALLENGER", "CHAMPION", "NAME", "ModelVersion", "shown"]
NAME = "realframe"
CHALLENGER, CHAMPION = "challenger", "champion"


def register_folder(folder: Path, *, commit: str, trainer: str = "") -> int:
    """Register the model of a run's folder as the challenger and return its version; the same bytes again are the same version.

    It is logged into its training run, with its evidence. Where this tracking server does not know that run, because the model came from
    the DVC cache, a run tagged ``realframe.restored`` takes its place.

    Args:
        folder: where the stages ran.
        commit: of the run.
        trainer: who started it; the first one stays the trainer of a model that is trained again.

    Raises:
        RegistryError: the folder holds no evaluated model.
    """
    found = Evaluated.read(folder)
    with FileLock(get_settings().state / "registry.lock"):
        known = next((version for version in versions() if version.sha256 == found.sha256), None)
        number = known.version if known else _register(found, commit, trainer)
        if known is None or not (known.aliases or known.decision):
            set_alias(CHALLENGER, number)
    return number


def refresh_evidence(version: int, folder: Path) -> None:
    """Write a version's figures and evidence again, from a folder in which its very model was evaluated anew. Raises RegistryError.

    That its dataset's file facts tell the classes apart stays on it for ever.
    """
    found, known = Evaluated.read(folder), get(version)
    if found.sha256 != known.sha256:
        reason = "is not the model that was evaluated anew"
        raise RegistryError(f"version {version}", reason, "Register that one as a version of its own: `realframe registry register`.")
    with mlflow_runs.resume_run(known.mlflow_run):
        tags = evaluated_tags(found.metrics) | {"realframe.evaluation": evidence_bundle.log(folder)}
    if known.shortcuts == ALLOWED:
        tags["realframe.shortcuts"] = ALLOWED
    for key, value in tags.items():
        _client().set_model_version_tag(NAME, str(version), key, value)


def versions() -> list[ModelVersion]:
    """Return all versions that realframe registered, oldest first."""
    client = _client()
    ours = [version for version in _pages(client) if "realframe.sha256" in version.tags]
    found = client.search_registered_models(f"name='{NAME}'")  # after the tags: a decision moves the alias before it is noted as a tag
    aliases = found[0].aliases if found else {}
    return sorted((read(version, aliases) for version in ours), key=lambda version: version.version)


def get(version: int) -> ModelVersion:
    """Return a version by its number. Raises RegistryError."""
    every = versions()
    for candidate in every:
        if candidate.version == version:
            return candidate
    known = ", ".join(str(other.version) for other in every) or "none yet: `realframe run`"
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
        raise RegistryError(CHALLENGER, "no version waits for a decision", "Train one: `realframe run train_model`.")
    return found


def named(which: str) -> ModelVersion:
    """Return a version by its number or by an alias that points to it. Raises RegistryError."""
    if which.isdecimal():
        return get(int(which))
    if which == CHALLENGER:
        return challenger()
    found = by_alias(which)
    if found is None and which == CHAMPION:
        hint = "Approve one: `realframe registry list`, then `realframe registry approve VERSION`."
        raise RegistryError(CHAMPION, "no version of the detector has been approved yet", hint)
    if found is None:
        raise RegistryError(which, "is no number and no alias of a version", "See `realframe registry list`.")
    return found


def set_alias(alias: str, version: int) -> None:
    """Point an alias to a version."""
    _client().set_registered_model_alias(NAME, alias, str(version))


def drop_alias(alias: str) -> None:
    """Remove an alias."""
    _client().delete_registered_model_alias(NAME, alias)


def note_decision(version: int, decision: str) -> None:
    """Write on a version where the ledger holds the decision on it."""
    _client().set_model_version_tag(NAME, str(version), "realframe.decision", decision)


def _register(found: Evaluated, commit: str, trainer: str) -> int:
    uri, tags = found.log(NAME, commit, trainer)
    return int(mlflow.register_model(uri, NAME, tags=tags).version)


def _pages(client: MlflowClient) -> Iterator[MlflowVersion]:
    token = None
    while True:
        page = client.search_model_versions(f"name='{NAME}'", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _client() -> MlflowClient:
    mlflow_runs.connect()
    return MlflowClient()
