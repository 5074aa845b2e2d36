"""Read the artifacts of a run: from its folder while it runs, or from its commit at any later time."""

import io
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from realframe.errors import MetadataError, UnknownRecordError
from realframe.permissions import write_private_text

if TYPE_CHECKING:
    import pandas as pd

LOCAL_CONFIG = Path(".dvc") / "config.local"
DVC_INDEX = Path(".dvc") / "tmp" / "site"
"""Where DVC keeps its index of a checkout or worktree; by default it would be a folder that all users of the machine share."""
_REFS = ("refs/heads/runs/", "refs/remotes/*/runs/*", "refs/tags/dataset/")
_REF_FORMAT = "%(if)%(*objectname)%(then)%(*objectname) %(*committerdate:unix)%(else)%(objectname) %(committerdate:unix)%(end) %(refname)"


class ArtifactSource(Protocol):
    """A source of a run's artifacts."""

    def read(self, path: Path) -> bytes | None:
        """Return the bytes of an artifact; None if the run did not make it. Raises MetadataError if they are lost."""

    def read_table(self, path: Path, columns: Sequence[str] | None = None) -> "pd.DataFrame | None":
        """Return a Parquet artifact, or some of its columns; None if the run did not make it. Raises MetadataError."""
        import pandas as pd  # takes half a second to import

        data = self.read(path)
        return None if data is None else pd.read_parquet(io.BytesIO(data), columns=None if columns is None else list(columns))


@dataclass(frozen=True)
class FolderSource(ArtifactSource):
    """The folder in which the stages run."""

    root: Path

    def read(self, path: Path) -> bytes | None:
        """Return the bytes of a file."""
        file = self.root / path
        return file.read_bytes() if file.exists() else None


class RevisionSource(ArtifactSource):
    """The commit of a run; files that git does not hold come from the DVC cache or the remote.

    Args:
        root: the repository.
        commit: the commit, a branch or a tag.
    """

    def __init__(self, root: Path, commit: str) -> None:
        from dvc.api import DVCFileSystem  # takes half a second to import

        _correct_index_folder(root)
        self._commit = commit
        self._files = DVCFileSystem(url=str(root), rev=commit)
        # the branch of a run that failed before its commit still points to its starting point, which may have no run yet
        self._has_run = self._files.exists("dvc.lock")

    def read(self, path: Path) -> bytes | None:
        """Return the bytes of a file at the commit."""
        if not self._has_run or not self._files.exists(path.as_posix()):
            return None
        try:
            return bytes(self._files.read_bytes(path.as_posix()))
        except FileNotFoundError as error:
            reason = "is neither in the DVC cache nor on the remote"
            raise UnknownRecordError(f"{path} of {self._commit[:10]}", reason, "`dvc fetch`") from error

    def list_files(self, folder: Path) -> list[Path]:
        """Return the files of a folder at the commit, sorted, without reading them; empty if the run did not make the folder."""
        if not self._has_run or not self._files.isdir(folder.as_posix()):
            return []
        return sorted(Path(entry["name"]) for entry in self._files.ls(folder.as_posix()) if entry["type"] == "file")

    def cached_path(self, path: Path) -> Path | None:
        """Return the path of a file in the local DVC cache; None if only the remote may have it."""
        try:
            md5 = self._files.info(path.as_posix()).get("dvc_info", {}).get("md5")
        except FileNotFoundError:
            return None
        cached = Path(self._files.repo.cache.local.oid_to_path(md5)) if md5 else None
        return cached if cached and cached.is_file() else None


def read_dvc_config(path: Path) -> dict[str, dict[str, str]]:
    """Return the sections of a file of DVC's settings; values are as in the file, in quotes where DVC needs them."""
    config = ConfigParser(interpolation=None)
    config.read(path)
    return {name: dict(config[name]) for name in config.sections()}


def write_local_config(sections: Mapping[str, Mapping[str, str]], root: Path) -> None:
    """Write DVC's settings of a checkout or worktree that are not committed. They may hold secrets, so the file is private."""
    config = ConfigParser(interpolation=None)
    config.read_dict(sections)
    text = io.StringIO()
    config.write(text)
    (root / LOCAL_CONFIG).parent.mkdir(exist_ok=True)
    write_private_text(root / LOCAL_CONFIG, text.getvalue())


def _correct_index_folder(root: Path) -> None:
    """Let DVC's settings name the index of this checkout: the path is absolute, and wrong after the checkout was moved or copied.

    DVC would create the former folder again.
    """
    sections, folder = read_dvc_config(root / LOCAL_CONFIG), str(root / DVC_INDEX)
    core = sections.get("core", {})
    if core.get("site_cache_dir") not in (None, "", folder):
        write_local_config(sections | {"core": core | {"site_cache_dir": folder}}, root)


@dataclass(frozen=True)
class RunCommit:
    """The commit of a run, and the branches and tags that point to it, without the name of a remote."""

    commit: str
    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def list_run_commits(root: Path) -> list[RunCommit]:
    """Return the commits of all runs and dataset versions of a repository, oldest first."""
    command = ["git", "for-each-ref", f"--format={_REF_FORMAT}", *_REFS]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode:
        raise MetadataError(root, f"git cannot list its runs: {result.stderr.strip()}")
    rows = [line.split(" ", 2) for line in result.stdout.splitlines()]
    dates = {commit: int(date) for commit, date, _ in rows}
    names = {commit: [ref for other, _, ref in rows if other == commit] for commit in dates}
    oldest_first = sorted(dates, key=lambda commit: (dates[commit], commit))
    return [RunCommit(commit, _select_refs(names[commit], "runs/"), _select_refs(names[commit], "dataset/")) for commit in oldest_first]


def _select_refs(refs: Iterable[str], kind: str) -> tuple[str, ...]:
    return tuple(sorted({kind + ref.partition(f"/{kind}")[2] for ref in refs if f"/{kind}" in ref}))
