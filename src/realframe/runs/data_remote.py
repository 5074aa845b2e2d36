"""Decide where the data of runs are stored, the DVC remote, and write it to DVC's settings.

This is the only place that decides. In this order: ``REALFRAME_REMOTE_URL``; the storage of ``REALFRAME_DAGSHUB_REPO``; the default remote
that a user has set with DVC; a folder in the state folder. The decision is made again for each run and before each push, so that a remote
that is named later, or a new token, is used from then on.

The remote that realframe writes to ``.dvc/config.local`` is called ``realframe``. All other remotes there belong to the user and stay.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from realframe.child_processes import run_supervised
from realframe.errors import ServiceError, SetupError
from realframe.registry import dagshub
from realframe.runs.git_dvc import checkout_environment
from realframe.settings import Settings, hide_password
from realframe.store.run_artifacts import DVC_INDEX, LOCAL_CONFIG, read_dvc_config, write_local_config

OWN_REMOTE = "realframe"
_DEFAULT_ORIGIN = "a folder in the state folder"
_CONFIG = Path(".dvc") / "config"
_CHECK_TIMEOUT_S = 20.0
# of one request: a transfer as a whole may take hours, but a server that does not answer must not hang it
_TIMEOUTS = {
    "s3": {"connect_timeout": "10", "read_timeout": "60"},
    "http": {"connect_timeout": "10", "read_timeout": "60"},
    "https": {"connect_timeout": "10", "read_timeout": "60"},
    "ssh": {"timeout": "10"},
}
# ``exists`` of some file systems takes a refused access for a missing file; ``write`` stores a small file, reads it and deletes it
_CHECK_SCRIPT = """
import secrets, sys
from dvc.repo import Repo
remote = Repo(".").cloud.get_remote()
file, fs = remote.fs.join(remote.path, "realframe-check-" + secrets.token_hex(8)), remote.fs
try:
    if sys.argv[1] == "write":
        fs.makedirs(remote.path, exist_ok=True)
        fs.pipe_file(file, b"realframe")
        assert fs.cat_file(file) == b"realframe", "the stored file has other bytes"
        fs.rm_file(file)
    else:
        try:
            fs.cat_file(file)
        except FileNotFoundError:
            pass
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@dataclass(frozen=True)
class DataRemote:
    """The DVC remote that runs use.

    Attributes:
        name: of the remote in DVC's settings.
        options: DVC's options of the remote; the address is ``url``. They may hold secrets.
        origin: what names it, for messages.
    """

    name: str
    options: dict[str, str]
    origin: str

    def __str__(self) -> str:
        """Return the address and what names it, without secrets."""
        endpoint = f" at {self.options['endpointurl']}" if "endpointurl" in self.options else ""
        return f"{hide_password(self.options['url'])}{endpoint} ({self.origin})"


def find_data_remote(settings: Settings) -> DataRemote:
    """Return the remote that the settings and DVC's own settings of the checkout name.

    Raises SetupError if two of them name different remotes, if none of several is the default, or if DagsHub has no token.
    """
    local = read_dvc_config(settings.root / LOCAL_CONFIG)
    shared = read_dvc_config(settings.root / _CONFIG)
    chosen_locally = local.get("core", {}).get("remote", OWN_REMOTE)
    own = _find_named_remote(settings)
    if own and chosen_locally != OWN_REMOTE:
        raise SetupError(
            "data remote",
            f"{own.origin} names {hide_password(own.options['url'])}, but {LOCAL_CONFIG} makes the remote `{chosen_locally}` the default",
            f"Keep one of them: unset {own.origin}, or run `dvc remote default --local --unset`.",
        )
    if own:
        return own
    users = {_remote_name(title): shared.get(title, {}) | local.get(title, {}) for title in (*shared, *local) if _remote_name(title)}
    users.pop(OWN_REMOTE, None)
    name = chosen_locally if chosen_locally != OWN_REMOTE else shared.get("core", {}).get("remote", "")
    if name and "url" not in users.get(name, {}):
        raise SetupError("data remote", f"DVC's default remote `{name}` has no address", f"`dvc remote add --local --force {name} URL`")
    if name:
        return DataRemote(name, _resolve_address(users[name], settings.root), f"remote `{name}` of DVC's settings")
    if users:
        reason = f"DVC's settings name {', '.join(f'`{user}`' for user in sorted(users))}, but none of them is the default"
        raise SetupError("data remote", reason, f"`dvc remote default --local {min(users)}`, or set REALFRAME_REMOTE_URL.")
    return DataRemote(OWN_REMOTE, {"url": str(settings.state_dir / "remote")}, _DEFAULT_ORIGIN)


def configure_dvc(settings: Settings) -> None:
    """Complete the checkout's ``.dvc/config.local``. It holds secrets and is never committed."""
    root, remote = settings.root, find_data_remote(settings)
    sections = read_dvc_config(root / LOCAL_CONFIG)
    core = sections.get("core", {}) | {"site_cache_dir": str(root / DVC_INDEX)}
    if core.get("remote") == OWN_REMOTE:
        del core["remote"]
    sections.pop(_remote_title(OWN_REMOTE), None)
    if remote.name == OWN_REMOTE:
        core["remote"] = OWN_REMOTE
        sections[_remote_title(OWN_REMOTE)] = _quote_address(_make_relative(remote.options, root))
    cache = {"type": '"reflink,hardlink,symlink,copy"'}
    if settings.main_checkout != root:  # the worktrees of one repository share their data
        cache["dir"] = str(settings.main_checkout / ".dvc" / "cache")
    sections["cache"] = cache | sections.get("cache", {})
    write_local_config(sections | {"core": core}, root)
    if remote.origin == _DEFAULT_ORIGIN:
        Path(remote.options["url"]).mkdir(parents=True, exist_ok=True)


def configure_worktree_dvc(folder: Path, settings: Settings) -> None:
    """Write DVC's settings of a run's worktree: the remote, the checkout's cache, and ``autostage`` for the run's commit.

    DVC's index of the worktree is put into the worktree. DVC's own place for it, a folder of the machine, would keep it for ever.
    """
    remote, sections = find_data_remote(settings), read_dvc_config(settings.root / LOCAL_CONFIG)
    cache = {"dir": "cache"} | read_dvc_config(settings.root / _CONFIG).get("cache", {}) | sections.get("cache", {})
    cache["dir"] = str((settings.root / ".dvc" / cache["dir"]).resolve())
    core = {"remote": remote.name, "autostage": "true", "site_cache_dir": str(folder / DVC_INDEX)}
    own = {"core": sections.get("core", {}) | core, "cache": cache, _remote_title(remote.name): _quote_address(remote.options)}
    write_local_config(sections | own, folder)


def check_data_remote(settings: Settings, *, writing: bool = False, timeout_s: float = _CHECK_TIMEOUT_S) -> None:
    """Ask the data remote for a file, or store one there and delete it. Raises ServiceError if it fails or takes too long."""
    configure_dvc(settings)
    remote = find_data_remote(settings)
    if remote.origin == _DEFAULT_ORIGIN:  # a folder that exists now
        return
    command = [sys.executable, "-c", _CHECK_SCRIPT, "write" if writing else "read"]
    hint = f"Check the address, the credentials and the network. It is named by: {remote.origin}."
    try:
        process = run_supervised(command, settings.root, checkout_environment(settings.root), capture=True, timeout_s=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"data remote {remote}", f"does not answer within {timeout_s:g} seconds", hint) from error
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["it cannot be used"]
        raise ServiceError(f"data remote {remote}", lines[-1].rstrip("."), hint)


def _find_named_remote(settings: Settings) -> DataRemote | None:
    """Return the remote that a setting names; None if there is none."""
    if settings.remote_url:
        scheme, separator, _ = settings.remote_url.partition("://")
        url = settings.remote_url if separator else str((settings.root / Path(settings.remote_url).expanduser()).resolve())
        return DataRemote(OWN_REMOTE, {"url": url, **(_TIMEOUTS.get(scheme, {}) if separator else {})}, "REALFRAME_REMOTE_URL")
    if settings.dagshub_repo:
        return DataRemote(OWN_REMOTE, dagshub.dvc_remote_settings(settings) | _TIMEOUTS["s3"], "REALFRAME_DAGSHUB_REPO")
    return None


def _resolve_address(options: dict[str, str], root: Path) -> dict[str, str]:
    """Return the options with an absolute address: DVC takes a relative path as relative to the folder of the file that names it."""
    url = options["url"].strip("\"'")
    return options | {"url": url if "://" in url else str((root / ".dvc" / Path(url).expanduser()).resolve())}


def _make_relative(options: dict[str, str], root: Path) -> dict[str, str]:
    """Return the options with a relative address if it is a folder in the checkout, which may be moved."""
    url = options["url"]
    return options | {"url": os.path.relpath(url, root / ".dvc")} if "://" not in url and Path(url).is_relative_to(root) else options


def _quote_address(options: dict[str, str]) -> dict[str, str]:
    """Return the options with the address as DVC's settings need it: a comma would make a list of it, and ``#`` begins a comment."""
    url = options["url"]
    return options | {"url": f'"{url}"' if set(url) & set(",#'") else url}


def _remote_title(name: str) -> str:
    return f"'remote \"{name}\"'"


def _remote_name(title: str) -> str:
    return title[len("'remote \"") : -len("\"'")] if title.startswith("'remote \"") else ""
