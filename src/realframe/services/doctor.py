"""Check the set-up of a machine: what is available, what is missing, and the command that fixes it."""

import importlib.metadata
import io
import os
import platform
import shlex
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Literal

import psutil

from realframe import notifications
from realframe.config import resolve_params
from realframe.errors import RealframeError
from realframe.permissions import find_open_paths, is_replaceable_by_others
from realframe.settings import Settings, hide_password

_PACKAGES = ("apache-airflow", "mlflow", "tensorflow", "keras", "dvc", "dagshub", "pymongo", "pillow", "av")
_SECRETS = (
    "session.key",
    "airflow/passwords.json",
    "airflow/jwt_secret",
    "mlflow/admin_password",
    "mlflow/secret_key",
)
_DATABASES = ("mlflow.db*", "mlflow/accounts.db*", "metadata/metadata.db*", "airflow/airflow.db*")
_MIN_DISK_GB, _MIN_MEMORY_GIB = 10, 4
_ANSWER_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: name of the check.
        status: ``ok``, ``note`` (works, but worth knowing) or ``missing``.
        detail: what was found.
        hint: command that fixes it; empty if nothing needs fixing.
    """

    check: str
    status: Literal["ok", "note", "missing"]
    detail: str
    hint: str = ""


def run_checks(settings: Settings) -> list[Finding]:
    """Run all checks in order; one that raises a RealframeError gives a ``missing`` finding with the error's hint."""
    checks: dict[str, Callable[[Settings], Iterator[Finding]]] = {
        "root": _check_root,
        "machine": _check_machine,
        "packages": _check_packages,
        "git": _check_git,
        "FFmpeg": _check_ffmpeg,
        "parameters": _check_parameters,
        "weights": _check_weights,
        "data": _check_data,
        "metadata store": _check_store,
        "data remote": _check_data_remote,
        "git remote": _check_git_remote,
        "MLflow": _check_mlflow,
        "notifications": _check_notifications,
        "permissions": _check_permissions,
    }
    if not settings.root.is_dir():
        return [Finding("root", "missing", f"{settings.root} does not exist", "Correct or unset REALFRAME_ROOT.")]
    findings: list[Finding] = []
    for name, check in checks.items():
        try:
            findings.extend(check(settings))
        except RealframeError as error:
            findings.append(Finding(name, "missing", f"{error.subject}: {error.reason}", error.hint))
    return findings


def _check_root(settings: Settings) -> Iterator[Finding]:
    settings.require_checkout()
    origin = "named by REALFRAME_ROOT" if os.environ.get("REALFRAME_ROOT") else "found from the working folder or the installed package"
    yield Finding("root", "ok", f"{settings.root} ({origin})")
    yield Finding("state", "ok", str(settings.state_dir))


def _check_machine(settings: Settings) -> Iterator[Finding]:
    memory, disk = psutil.virtual_memory().total / 2**30, shutil.disk_usage(settings.root).free / 1e9
    python = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] <= (3, 12)
    yield Finding("Python", "ok" if supported else "missing", python, "" if supported else "make setup PYTHON=python3.12")
    yield Finding("cores and memory", "ok" if memory > _MIN_MEMORY_GIB else "note", f"{settings.workers} cores, {memory:.0f} GiB of memory")
    yield Finding("disk", "ok" if disk > _MIN_DISK_GB else "note", f"{disk:.0f} GB free", "" if disk > _MIN_DISK_GB else "make clean")


def _check_packages(_: Settings) -> Iterator[Finding]:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    yield Finding("packages", "ok", versions)


def _check_git(settings: Settings) -> Iterator[Finding]:
    from realframe.runs.git_dvc import git
    from realframe.runs.worktree import list_uncommitted_files

    if not shutil.which("git"):
        yield Finding("git", "missing", "git is not on the PATH", "apt install git")
        return
    yield Finding("git", "ok", git(settings.root, "--version"))
    edits = list_uncommitted_files(settings.root)
    if edits:
        yield Finding("checkout", "note", f"{len(edits)} files have uncommitted edits, which a run does not include", "git commit")


def _check_ffmpeg(_: Settings) -> Iterator[Finding]:
    from realframe.media import ffmpeg

    yield Finding("FFmpeg", "ok", f"{ffmpeg.ffmpeg_version()} ({ffmpeg.ffmpeg_executable()})")


def _check_parameters(settings: Settings) -> Iterator[Finding]:
    params = resolve_params(settings.root / "params.yaml", settings.root / "recipes").params
    yield Finding("parameters", "ok", f"recipe {params.recipe}")


def _check_weights(settings: Settings) -> Iterator[Finding]:
    from realframe.models import backbones, weights

    params = resolve_params(settings.root / "params.yaml", settings.root / "recipes").params
    with redirect_stdout(io.StringIO()):  # Keras prints the progress of a download there
        located = weights.find_weights(params.train.weights, backbones.get_backbone(params.train.backbone), settings)
    yield Finding("weights", "ok", f"{params.train.backbone}: {located.path or located.name}")


def _check_data(settings: Settings) -> Iterator[Finding]:
    files = sum(1 for path in settings.raw_dir.rglob("*") if path.is_file()) if settings.raw_dir.exists() else 0
    yield Finding("data", "ok" if files else "note", f"{files} files in data/raw", "" if files else "realframe ingest PATH")


def _check_store(settings: Settings) -> Iterator[Finding]:
    from realframe.store.repository import open_store

    with open_store(settings) as store:
        yield Finding("metadata store", "ok", store.address)


def _check_data_remote(settings: Settings) -> Iterator[Finding]:
    from realframe.runs.data_remote import check_data_remote, find_data_remote

    check_data_remote(settings)
    yield Finding("data remote", "ok", str(find_data_remote(settings)))


def _check_git_remote(settings: Settings) -> Iterator[Finding]:
    from realframe.registry import dagshub
    from realframe.runs.git_dvc import git

    if settings.git_remote:
        git(
            settings.root,
            "ls-remote",
            "--quiet",
            settings.git_remote,
            timeout_s=_ANSWER_TIMEOUT_S,
            account=dagshub.git_environment(settings),
        )
        yield Finding("git remote", "ok", hide_password(settings.git_remote))


def _check_mlflow(settings: Settings) -> Iterator[Finding]:
    from realframe.registry import mlflow_server

    uri = mlflow_server.find_address(settings)
    try:
        answer = "a file of this checkout" if uri.startswith(mlflow_server.SQLITE) else _count_versions()
    except Exception as error:  # of MLflow, its database or the network
        raise mlflow_server.translate_error(error) from error
    has_account = any(os.environ.get(name) for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_TOKEN"))
    if uri.startswith("http:") and not has_account:
        detail = f"{uri}: no account is set; everyone who reaches a server without accounts can change its versions"
        yield Finding("MLflow", "note", detail, "export MLFLOW_TRACKING_USERNAME=... MLFLOW_TRACKING_PASSWORD=...")
    else:
        yield Finding("MLflow", "ok", f"{hide_password(uri)} ({answer})")


def _count_versions() -> str:
    from realframe.registry import model_registry

    return f"{len(model_registry.list_versions())} versions"


def _check_notifications(settings: Settings) -> Iterator[Finding]:
    services = notifications.list_notification_services(settings)
    detail = ", ".join(services) or "nobody is told of failed runs and waiting reviews"
    yield Finding("notifications", "ok" if services else "note", detail, "" if services else "export REALFRAME_NOTIFY_URL=mailto://...")


def _check_permissions(settings: Settings) -> Iterator[Finding]:
    """Check which parts of the state other users of this machine can open."""
    from realframe.store.embedded_server import find_socket

    state = settings.state_dir  # corrects the mode of the folder itself
    if is_replaceable_by_others(state):
        parent = state.resolve().parent
        detail = f"other users can write to {parent}, and so replace the state folder"
        yield Finding("state folder", "note", detail, f"chmod go-w {shlex.quote(str(parent))}")
    socket = find_socket(state / "metadata")
    parts = {
        "state folder": [state],
        "secrets": [*(state / name for name in _SECRETS), settings.root / ".dvc" / "config.local", settings.root / ".env"],
        "databases": [file for pattern in _DATABASES for file in sorted(state.glob(pattern))],
        "store socket": [socket.parent, socket] if socket else [],
        "uploads": [settings.uploads_dir],
    }
    for name, paths in parts.items():
        existing = [path for path in paths if path.exists()]
        open_paths = find_open_paths(*existing)
        detail = "only you can open " + (", ".join(path.name for path in existing) or "them: there are none yet")
        if not open_paths:
            yield Finding(f"permissions: {name}", "ok", detail)
        for path in open_paths:
            mode = stat.S_IMODE(path.stat().st_mode)
            detail = f"{path} has mode {mode:04o}, which other users can open where its folder lets them"
            yield Finding(f"permissions: {name}", "note", detail, f"chmod go= {shlex.quote(str(path))}")
