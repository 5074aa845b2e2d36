"""Where versions are kept: the DVC cache that all worktrees share, and the remote that it is pushed to."""

from configparser import ConfigParser
from pathlib import Path

from bonafide.files import atomic_path
from bonafide.settings import Settings
from bonafide.tracking import dagshub

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
