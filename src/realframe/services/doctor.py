"""Check the set-up of a machine: what is available, what is missing, and the command that fixes it."""

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import psutil

from realframe.config import resolve_params
from realframe.errors import RealframeError
from realframe.settings import Settings

_PACKAGES = ("apache-airflow", "mlflow", "tensorflow", "keras", "dvc", "dagshub", "pymongo", "pillow", "av")
_MIN_DISK_GB, _MIN_MEMORY_GIB = 10, 4


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
        "machine": _check_machine,
        "packages": _check_packages,
        "git": _check_git,
        "FFmpeg": _check_ffmpeg,
        "parameters": _check_parameters,
        "weights": _check_weights,
        "data": _check_data,
        "metadata store": _check_store,
        "services": _check_services,
    }
    findings: list[Finding] = []
    for name, check in checks.items():
        try:
            findings.extend(check(settings))
        except RealframeError as error:
            findings.append(Finding(name, "missing", f"{error.subject}: {error.reason}", error.hint))
    return findings


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
    located = weights.find_weights(params.train.weights, backbones.get_backbone(params.train.backbone), settings)
    yield Finding("weights", "ok", f"{params.train.backbone}: {located.path or located.name}")


def _check_data(settings: Settings) -> Iterator[Finding]:
    files = sum(1 for path in settings.raw_dir.rglob("*") if path.is_file()) if settings.raw_dir.exists() else 0
    yield Finding("data", "ok" if files else "note", f"{files} files in data/raw", "" if files else "realframe ingest PATH")


def _check_store(settings: Settings) -> Iterator[Finding]:
    from realframe.store.repository import open_store

    with open_store(settings) as store:
        yield Finding("metadata store", "ok", store.address)


def _check_services(settings: Settings) -> Iterator[Finding]:
    remote = settings.dagshub_repo or settings.remote_url or "a local folder in the state folder"
    yield Finding("data remote", "ok", remote)
    yield Finding("MLflow", "ok", settings.tracking_uri)
    yield Finding("state", "ok", str(settings.state_dir))
