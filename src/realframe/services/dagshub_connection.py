"""Connect a checkout with a repository on DagsHub, and check each right that runs and reviews need there.

A check does what a run would do, with a small file or entry that it deletes again, since only that shows a right. The settings are saved in
the state folder: the data remote, the git remote and the MLflow server follow from them.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow.tracking import MlflowClient

from realframe.errors import SetupError
from realframe.permissions import open_private_folder, write_private_text
from realframe.registry import dagshub, mlflow_runs, mlflow_server
from realframe.runs.data_remote import check_data_remote, find_data_remote
from realframe.runs.git_dvc import git
from realframe.services.doctor import Finding
from realframe.settings import Settings, hide_password

GIT_REMOTE = "dagshub"
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")
_CHECK_BRANCH = "refs/heads/realframe-check"
_TIMEOUT_S = 30.0


def save_connection(repository: str, settings: Settings) -> Settings:
    """Save that this checkout uses a repository, add the git remote ``dagshub``, and return the new settings.

    Raises SetupError if the name is malformed, or if the environment names another repository.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise SetupError(repository, "is not the name of a repository on DagsHub", "Give OWNER/REPO.")
    if settings.dagshub_repo not in (None, repository) and not _is_saved("REALFRAME_DAGSHUB_REPO", settings):
        raise SetupError("REALFRAME_DAGSHUB_REPO", f"names {settings.dagshub_repo} in the environment", "Unset it, or connect that one.")
    chosen = settings.model_copy(update={"dagshub_repo": repository, "git_remote": GIT_REMOTE})
    dagshub.read_token(chosen)
    remotes = git(settings.root, "remote").splitlines()
    git(settings.root, "remote", "set-url" if GIT_REMOTE in remotes else "add", GIT_REMOTE, dagshub.git_address(chosen))
    values = {**_read_saved(settings), "REALFRAME_DAGSHUB_REPO": repository, "REALFRAME_GIT_REMOTE": GIT_REMOTE}
    values["DAGSHUB_CLIENT_HOST"] = settings.dagshub_client_host
    open_private_folder(settings.saved_settings.parent)
    write_private_text(settings.saved_settings, "".join(f"{name}={value}\n" for name, value in values.items()))
    return chosen


def check_rights(settings: Settings) -> Iterator[Finding]:
    """Check each right, one after the other. A right that the server refuses, or lacks, is a ``missing`` finding."""
    checks: dict[str, Callable[[Settings], str]] = {
        "data: pull": lambda settings: _check_data(settings, writing=False),
        "data: push": lambda settings: _check_data(settings, writing=True),
        "git: pull": _check_git_pull,
        "git: push": _check_git_push,
    }
    for name, check in checks.items():
        yield _run_check(name, lambda check=check: check(settings))  # type: ignore[misc]
    yield from _check_mlflow(settings)


def _run_check(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", check())
    except Exception as error:  # of git, DVC, MLflow or the network
        known = mlflow_server.translate_error(error)
        return Finding(name, "missing", f"{known.subject}: {known.reason}", "Check the rights of the token on DagsHub.")


def _check_data(settings: Settings, *, writing: bool) -> str:
    check_data_remote(settings, writing=writing, timeout_s=_TIMEOUT_S)
    return str(find_data_remote(settings))


def _check_git_pull(settings: Settings) -> str:
    git(settings.root, "ls-remote", "--quiet", str(settings.git_remote), timeout_s=_TIMEOUT_S, account=dagshub.git_environment(settings))
    return hide_password(git(settings.root, "remote", "get-url", str(settings.git_remote)))


def _check_git_push(settings: Settings) -> str:
    """Push the current commit to a branch of its own, and delete the branch."""
    remote, account = str(settings.git_remote), dagshub.git_environment(settings)
    branch = f"{_CHECK_BRANCH}-{secrets.token_hex(4)}"
    git(settings.root, "push", "--quiet", "--no-verify", remote, f"HEAD:{branch}", timeout_s=_TIMEOUT_S, account=account)
    git(settings.root, "push", "--quiet", "--no-verify", remote, f":{branch}", timeout_s=_TIMEOUT_S, account=account)
    return "a branch was pushed and deleted"


def _check_mlflow(settings: Settings) -> Iterator[Finding]:
    """Log a run, register a version of a model of its own and set an alias; delete all of them again."""
    name = f"realframe-check-{secrets.token_hex(4)}"
    run_ids: list[str] = []

    def log() -> str:
        with mlflow.start_run(experiment_id=mlflow_runs.connect(settings), run_name=name) as run, TemporaryDirectory() as folder:
            run_ids.append(run.info.run_id)
            mlflow.log_param("purpose", "check of rights")
            mlflow.log_metric("value", 1.0)
            (Path(folder) / "check.txt").write_text(name)
            mlflow.log_artifact(str(Path(folder) / "check.txt"))
            if mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/check.txt") != name:
                raise SetupError("MLflow", "returned another artifact than the one that was logged")
        way = (
            ""
            if mlflow_server.has_logged_models(run.info.experiment_id)
            else "; it knows no logged models: models are logged as artifacts of their runs"
        )
        return f"{mlflow_server.find_address(settings)}{way}"

    def register() -> str:
        client = MlflowClient()
        client.create_registered_model(name)
        client.create_model_version(name, client.get_run(run_ids[0]).info.artifact_uri, run_ids[0], tags={"purpose": "check of rights"})
        return "a version was registered and deleted"

    def set_alias() -> str:
        client = MlflowClient()
        client.set_registered_model_alias(name, "check", "1")
        if client.get_model_version_by_alias(name, "check").version not in ("1", 1):
            raise SetupError("MLflow", "does not know the alias that was set")
        return "an alias was set and read"

    logged = _run_check("MLflow: log", log)
    yield logged
    if logged.status == "ok":
        registered = _run_check("MLflow: register", register)
        yield registered
        if registered.status == "ok":
            yield _run_check("MLflow: alias", set_alias)
    _remove(name, run_ids)


def _remove(name: str, run_ids: list[str]) -> None:
    client = MlflowClient()
    for delete, argument in ((client.delete_registered_model, name), *((client.delete_run, run_id) for run_id in run_ids)):
        try:
            delete(argument)
        except mlflow.MlflowException:  # it was not created, or may not be deleted
            continue


def _read_saved(settings: Settings) -> dict[str, str]:
    file = settings.saved_settings
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {name: value for name, separator, value in (line.partition("=") for line in lines) if separator}


def _is_saved(variable: str, settings: Settings) -> bool:
    return variable in _read_saved(settings)
