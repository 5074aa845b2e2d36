"""Examines a machine: what is there, what is missing, and the command that mends it."""

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import psutil

from realframe.config import resolve
from realframe.errors import RealframeError
from realframe.settings import Settings

_PARTS = ("apache-airflow", "mlflow", "tensorflow", "keras", "dvc", "dagshub", "pymongo", "pillow", "av")
_DISK_GB = 10


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    part: str
    state: Literal["ok", "note", "missing"]
    found: str
    hint: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at each part in turn; what raises a RealframeError is missing, and its hint is the error's."""
    checks: dict[str, Callable[[Settings], Iterator[Finding]]] = {
        "machine": _machine,
        "packages": _packages,
        "git": _git,
        "FFmpeg": _ffmpeg,
        "parameters": _parameters,
        "weights": _weights,
        "data": _data,
        "metadata store": _store,
        "services": _services,
    }
    findings: list[Finding] = []
    for part, check in checks.items():
        try:
            findings.extend(check(settings))
        except RealframeError as error:
            findings.append(Finding(part, "missing", f"{error.thing}: {error.reason}", error.hint))
    return findings


def _machine(settings: Settings) -> Iterator[Finding]:
    memory, disk = psutil.virtual_memory().total / 2**30, shutil.disk_usage(settings.root).free / 1e9
    python = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] <= (3, 12)
    yield Finding("Python", "ok" if supported else "missing", python, "" if supported else "make setup PYTHON=python3.12")
    yield Finding("cores, memory", "ok" if memory > 4 else "note", f"{settings.workers}, {memory:.0f} GiB")
    yield Finding("disk", "ok" if disk > _DISK_GB else "note", f"{disk:.0f} GB free", "" if disk > _DISK_GB else "make clean")


def _packages(_: Settings) -> Iterator[Finding]:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PARTS)
    yield Finding("packages", "ok", versions)


def _git(settings: Settings) -> Iterator[Finding]:
    from realframe.runs.git_dvc import git
    from realframe.runs.worktree import uncommitted_edits

    if not shutil.which("git"):
        yield Finding("git", "missing", "not on the PATH", "apt install git")
        return
    yield Finding("git", "ok", git(settings.root, "--version"))
    edits = uncommitted_edits(settings.root)
    if edits:
        yield Finding("checkout", "note", f"{len(edits)} uncommitted edits: a run uses the last commit", "git commit")


def _ffmpeg(_: Settings) -> Iterator[Finding]:
    from realframe.media import ffmpeg

    yield Finding("FFmpeg", "ok", f"{ffmpeg.version()} ({ffmpeg.executable()})")


def _parameters(settings: Settings) -> Iterator[Finding]:
    params = resolve(settings.root / "params.yaml", settings.root / "recipes").params
    yield Finding("parameters", "ok", f"recipe {params.recipe}")


def _weights(settings: Settings) -> Iterator[Finding]:
    from realframe.models import backbones, weights

    params = resolve(settings.root / "params.yaml", settings.root / "recipes").params
    found = weights.find(params.train.weights, backbones.get(params.train.backbone), settings)
    yield Finding("weights", "ok", f"{params.train.backbone}: {found.path or found.name}")


def _data(settings: Settings) -> Iterator[Finding]:
    files = sum(1 for path in settings.raw_dir.rglob("*") if path.is_file()) if settings.raw_dir.exists() else 0
    yield Finding("data", "ok" if files else "note", f"{files} files in data/raw", "" if files else "realframe ingest PATH")


def _store(settings: Settings) -> Iterator[Finding]:
    from realframe.store.repository import open_store

    with open_store(settings) as store:
        yield Finding("metadata store", "ok", store.address)


def _services(settings: Settings) -> Iterator[Finding]:
    remote = settings.dagshub_repo or settings.remote_url or "a folder in the state folder"
    yield Finding("data remote", "ok", remote)
    yield Finding("MLflow", "ok", settings.tracking_uri)
    yield Finding("state", "ok", str(settings.state))
