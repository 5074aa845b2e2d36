"""Running git and DVC in a folder, with the code of that folder."""

import os
import subprocess
import sys
from pathlib import Path

from bonafide.errors import RunError
from bonafide.runs.output import run_sieved

# a run commits also where the user has told git no name
_NAME, _EMAIL = "bonafide", "bonafide@localhost"
_IDENTITY = {
    "GIT_AUTHOR_NAME": _NAME,
    "GIT_AUTHOR_EMAIL": _EMAIL,
    "GIT_COMMITTER_NAME": _NAME,
    "GIT_COMMITTER_EMAIL": _EMAIL,
}


def environment(folder: Path) -> dict[str, str]:
    """Return this process' environment, changed so that Python imports the code of ``folder`` and finds this environment's tools."""
    code = os.pathsep.join((str(folder / "src"), str(folder)))
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**os.environ, **quiet, "PYTHONPATH": code, "PATH": path, "PYTHONUNBUFFERED": "1"}


def git(folder: Path, *arguments: str) -> str:
    """Run git in ``folder`` and return what it printed. Raises RunError."""
    return _output(folder, ["git", *arguments], {**_IDENTITY, **os.environ})


def dvc(folder: Path, *arguments: str) -> str:
    """Run DVC in ``folder`` and return what it printed. Raises RunError."""
    return _output(folder, [sys.executable, "-m", "dvc", *arguments], environment(folder))


def dvc_live(folder: Path, *arguments: str) -> None:
    """Run DVC in ``folder``; what its stages say goes to our output, its own hints do not. Raises RunError."""
    if status := run_sieved([sys.executable, "-m", "dvc", *arguments], folder, environment(folder)):
        raise RunError(" ".join(("dvc", *arguments)), f"ended with status {status}", f"Its own message is above; its folder is {folder}.")


def _output(folder: Path, command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RunError(" ".join(command[-4:]), said[-1] if said else f"ended with status {done.returncode}", f"It ran in {folder}.")
    return done.stdout.strip()
