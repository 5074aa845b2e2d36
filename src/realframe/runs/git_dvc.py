"""Run git and DVC in a checkout or worktree.

Also open a sandbox: a clone of the checkout in its state folder, with its own data, models and services. The demo and the benchmarks work
in a sandbox, so that they do not touch the user's data and models.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from realframe.child_processes import run_supervised
from realframe.errors import RunError, SetupError
from realframe.process_environment import complete_environment
from realframe.settings import Settings

# a run can commit although the user has not set a name in git
_NAME, _EMAIL = "realframe", "realframe@localhost"
_IDENTITY = {
    "GIT_AUTHOR_NAME": _NAME,
    "GIT_AUTHOR_EMAIL": _EMAIL,
    "GIT_COMMITTER_NAME": _NAME,
    "GIT_COMMITTER_EMAIL": _EMAIL,
}
NETWORK_COMMANDS = ("clone", "fetch", "ls-remote", "push")  # they may take long, and end with this process; the others take milliseconds
_NETWORK_TIMEOUT_S = 120.0  # of a push or fetch, which transfers no media: these are in the data remote
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
    return complete_environment({**os.environ, **quiet, "PYTHONPATH": code, "PATH": path, "PYTHONUNBUFFERED": "1"})


def git(
    folder: Path, *arguments: str, stdin: str = "", timeout_s: float | None = None, account: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Run git in ``folder`` and return its output; it never asks for a password.

    Raises RunError, also if it takes longer than ``timeout_s`` (by default 120 seconds for a command that uses the network), and
    SetupError if the folder is in no repository, or in one that another user owns. ``account`` holds environment variables by which git
    authenticates.
    """
    command, env = ["git", *arguments], {**_IDENTITY, **os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}  # messages in English
    env |= account
    timeout_s = timeout_s or (_NETWORK_TIMEOUT_S if arguments[0] in NETWORK_COMMANDS else None)
    try:
        if arguments[0] in NETWORK_COMMANDS:
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
        if any("detected dubious ownership" in line for line in lines):
            hint = f"If you trust its owner: git config --global --add safe.directory {shlex.quote(str(folder))}"
            raise SetupError(folder, "belongs to another user, so git does not read it", hint)
        if any("not a git repository" in line for line in lines):
            raise SetupError(folder, "is not a git repository", "Change to a checkout of realframe, or name one by REALFRAME_ROOT.")
        reason = next((line for line in lines if line.startswith("fatal: ")), lines[-1] if lines else "")
        reason = reason.removeprefix("fatal: ").rstrip(".") or f"ended with status {process.returncode}"
        raise RunError(" ".join(process.args[-4:]), reason, f"It ran in {folder}.")
    return process.stdout.strip()


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
