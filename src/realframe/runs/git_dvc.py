"""Run git and DVC in a checkout or worktree, and configure DVC's cache, which all worktrees share, and its remote.

Also open a sandbox: a clone of the checkout in its state folder, with its own data, models and services. The demo and the benchmarks work
in a sandbox, so that they do not touch the user's data and models.
"""

import os
import subprocess
import sys
from configparser import ConfigParser
from io import StringIO
from pathlib import Path

from realframe.child_processes import run_supervised
from realframe.errors import RunError
from realframe.permissions import write_private_text
from realframe.registry import dagshub
from realframe.settings import Settings

# a run can commit although the user has not set a name in git
_NAME, _EMAIL = "realframe", "realframe@localhost"
_IDENTITY = {
    "GIT_AUTHOR_NAME": _NAME,
    "GIT_AUTHOR_EMAIL": _EMAIL,
    "GIT_COMMITTER_NAME": _NAME,
    "GIT_COMMITTER_EMAIL": _EMAIL,
}
_NETWORK_COMMANDS = ("clone", "fetch", "ls-remote", "push")  # they may take long, and end with this process; the others take milliseconds
# a sandbox must not write to the user's servers
_NO_SERVERS = {"mongodb_uri": None, "mlflow_tracking_uri": None, "dagshub_repo": None, "remote_url": None, "git_remote": None}
_SERVER_VARIABLES = (
    "MONGODB_URI",
    "MLFLOW_TRACKING_URI",
    "REALFRAME_DAGSHUB_REPO",
    "REALFRAME_REMOTE_URL",
    "REALFRAME_GIT_REMOTE",
    "REALFRAME_INBOX",
)


def checkout_environment(folder: Path) -> dict[str, str]:
    """Return this process' environment with the code of ``folder`` on PYTHONPATH and this Python's programs on PATH."""
    code = os.pathsep.join((str(folder / "src"), str(folder)))
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "ERROR"}
    return {**os.environ, **quiet, "PYTHONPATH": code, "PATH": path, "PYTHONUNBUFFERED": "1"}


def git(folder: Path, *arguments: str, stdin: str = "", timeout_s: float | None = None) -> str:
    """Run git in ``folder`` and return its output. Raises RunError, also if it takes longer than ``timeout_s``."""
    command, env = ["git", *arguments], {**_IDENTITY, **os.environ}
    try:
        if arguments[0] in _NETWORK_COMMANDS:
            process = run_supervised(command, folder, env, capture=True, timeout_s=timeout_s)
        else:
            process = subprocess.run(  # noqa: S603
                command, cwd=folder, env=env, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
            )
    except subprocess.TimeoutExpired as error:
        raise RunError(" ".join(command[-4:]), f"does not end in {timeout_s:g} seconds", f"It ran in {folder}.") from error
    return _check_output(process, folder)


def dvc(folder: Path, *arguments: str) -> str:
    """Run DVC in ``folder`` and return its output. Raises RunError."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return _check_output(run_supervised(command, folder, checkout_environment(folder), capture=True), folder)


def _check_output(process: "subprocess.CompletedProcess[str]", folder: Path) -> str:
    if process.returncode:
        lines = (process.stderr.strip() or process.stdout.strip()).splitlines()
        reason = lines[-1] if lines else f"ended with status {process.returncode}"
        raise RunError(" ".join(process.args[-4:]), reason, f"It ran in {folder}.")
    return process.stdout.strip()


_LOCAL_CONFIG = Path(".dvc") / "config.local"
_DVC_INDEX = Path(".dvc") / "tmp" / "site"


def configure_dvc(root: Path, settings: Settings) -> None:
    """Complete the checkout's ``.dvc/config.local``: one cache for all worktrees, and the remote ``storage``.

    Values that a user set there take precedence. The file holds secrets and is never committed.
    """
    _write_local_config(_local_config(settings) | _read_local_config(root), root)


def configure_worktree_dvc(folder: Path, root: Path) -> None:
    """Copy the checkout's DVC settings to a worktree, with ``autostage`` for the run's commit.

    DVC's index of the worktree is put into the worktree. DVC's own place for it, a folder of the machine, would keep it for ever.
    """
    sections = _read_local_config(root)
    own = {"autostage": "true", "site_cache_dir": str(folder / _DVC_INDEX)}
    _write_local_config(sections | {"core": {**sections["core"], **own}}, folder)


def _read_local_config(folder: Path) -> dict[str, dict[str, str]]:
    config = ConfigParser(interpolation=None)
    config.read(folder / _LOCAL_CONFIG)
    return {name: dict(config[name]) for name in config.sections()}


def _write_local_config(sections: dict[str, dict[str, str]], folder: Path) -> None:
    config = ConfigParser(interpolation=None)
    config.read_dict(sections)
    text = StringIO()
    config.write(text)
    (folder / _LOCAL_CONFIG).parent.mkdir(exist_ok=True)
    write_private_text(folder / _LOCAL_CONFIG, text.getvalue())


def _local_config(settings: Settings) -> dict[str, dict[str, str]]:
    return {
        "core": {"remote": "storage", "site_cache_dir": str(settings.root / _DVC_INDEX)},
        "cache": {"dir": str(settings.root / ".dvc" / "cache"), "type": '"reflink,hardlink,symlink,copy"'},
        "'remote \"storage\"'": _remote_config(settings),
    }


def _remote_config(settings: Settings) -> dict[str, str]:
    if settings.remote_url:
        return {"url": settings.remote_url}
    if settings.dagshub_repo:
        return dagshub.dvc_remote_settings(settings)
    folder = settings.state_dir / "remote"
    folder.mkdir(parents=True, exist_ok=True)
    return {"url": str(folder)}


def open_sandbox(name: str, settings: Settings) -> Settings:
    """Clone the last commit of the checkout to ``STATE/<name>``, or update the clone there; return its settings."""
    folder = settings.state_dir / name
    if not (folder / ".git").exists():
        git(settings.root, "clone", "--quiet", "--no-tags", str(settings.root), str(folder))
    git(folder, "fetch", "--quiet", "--no-tags", "origin", "HEAD")
    git(folder, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
    return settings.model_copy(update={**_NO_SERVERS, "root": folder, "home": folder / ".realframe", "inbox": None})


def without_server_variables(environment: dict[str, str]) -> dict[str, str]:
    """Return ``environment`` without the variables that name servers and the inbox, for a process in a sandbox."""
    return {key: value for key, value in environment.items() if key not in _SERVER_VARIABLES}
