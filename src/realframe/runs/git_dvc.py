"""Running git and DVC in a folder, with the code of that folder.

Where versions are kept: the DVC cache that all worktrees share, and the remote that it is pushed to.
"""

import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

from realframe.errors import RunError
from realframe.files import atomic_path
from realframe.registry import dagshub
from realframe.runs.output_filter import run_filtered
from realframe.settings import Settings

# a run commits also where the user has told git no name
_NAME, _EMAIL = "realframe", "realframe@localhost"
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
    if status := run_filtered([sys.executable, "-m", "dvc", *arguments], folder, environment(folder)):
        raise RunError(" ".join(("dvc", *arguments)), f"ended with status {status}", f"Its own message is above; its folder is {folder}.")


def _output(folder: Path, command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RunError(" ".join(command[-4:]), said[-1] if said else f"ended with status {done.returncode}", f"It ran in {folder}.")
    return done.stdout.strip()


_LOCAL = Path(".dvc") / "config.local"


def configure(root: Path, settings: Settings) -> None:
    """Fill in the checkout's ``.dvc/config.local``: one cache for all worktrees, and the remote ``storage``.

    What a user has set there by hand is kept; the file holds secrets and is never committed.
    """
    _write(_sections(settings) | _read(root), root)


def configure_worktree(folder: Path, root: Path) -> None:
    """Give a worktree the checkout's settings; what its stages write is staged for the run's commit."""
    sections = _read(root)
    _write(sections | {"core": {**sections["core"], "autostage": "true"}}, folder)


def _read(folder: Path) -> dict[str, dict[str, str]]:
    config = ConfigParser(interpolation=None)
    config.read(folder / _LOCAL)
    return {name: dict(config[name]) for name in config.sections()}


def _write(sections: dict[str, dict[str, str]], folder: Path) -> None:
    config = ConfigParser(interpolation=None)
    config.read_dict(sections)
    with atomic_path(folder / _LOCAL) as temporary, temporary.open("w") as stream:
        temporary.chmod(0o600)
        config.write(stream)


def _sections(settings: Settings) -> dict[str, dict[str, str]]:
    return {
        "core": {"remote": "storage"},
        "cache": {"dir": str(settings.root / ".dvc" / "cache"), "type": '"reflink,hardlink,symlink,copy"'},
        "'remote \"storage\"'": _remote(settings),
    }


def _remote(settings: Settings) -> dict[str, str]:
    if settings.remote_url:
        return {"url": settings.remote_url}
    if settings.dagshub_repo:
        return dagshub.dvc_remote(settings)
    folder = settings.state / "remote"
    folder.mkdir(parents=True, exist_ok=True)
    return {"url": str(folder)}
