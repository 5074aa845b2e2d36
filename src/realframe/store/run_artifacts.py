"""Where a run's artifacts are read from: its folder while it runs, or its commit at any time after."""

import io
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from realframe.errors import MetadataError, UnknownError

if TYPE_CHECKING:
    import pandas as pd

_REFS = ("refs/heads/runs/", "refs/remotes/*/runs/*", "refs/tags/dataset/")
_FIELDS = "%(if)%(*objectname)%(then)%(*objectname) %(*committerdate:unix)%(else)%(objectname) %(committerdate:unix)%(end) %(refname)"


class ArtifactSource(Protocol):
    """Gives the bytes of an artifact."""

    def read(self, path: Path) -> bytes | None:
        """Return the bytes of ``path``, or None where this run did not make it. Raises MetadataError where they are lost."""

    def table(self, path: Path, columns: Sequence[str] | None = None) -> "pd.DataFrame | None":
        """Return the Parquet table ``path``, or some of its columns; None where this run did not make it. Raises MetadataError."""
        import pandas as pd  # takes half a second to import

        data = self.read(path)
        return None if data is None else pd.read_parquet(io.BytesIO(data), columns=None if columns is None else list(columns))


@dataclass(frozen=True)
class FolderSource(ArtifactSource):
    """A folder in which stages ran."""

    root: Path

    def read(self, path: Path) -> bytes | None:
        """Return the bytes of a file."""
        file = self.root / path
        return file.read_bytes() if file.exists() else None


class RevisionSource(ArtifactSource):
    """A commit; what git does not hold comes from the DVC cache or the remote.

    Args:
        root: the repository.
        commit: of a run.
    """

    def __init__(self, root: Path, commit: str) -> None:
        from dvc.api import DVCFileSystem  # takes half a second to import

        self._commit = commit
        self._files = DVCFileSystem(url=str(root), rev=commit)
        # the branch of a run that failed before its commit still points to where it started, which may have run nothing yet
        self._ran = self._files.exists("dvc.lock")

    def read(self, path: Path) -> bytes | None:
        """Return the bytes of a file at the commit."""
        if not self._ran or not self._files.exists(path.as_posix()):
            return None
        try:
            return bytes(self._files.read_bytes(path.as_posix()))
        except FileNotFoundError as error:
            raise UnknownError(f"{path} of {self._commit[:10]}", "is neither in the DVC cache nor on the remote", "`dvc fetch`") from error

    def inside(self, folder: Path) -> list[Path]:
        """Return the files that a folder holds at the commit, in order; none where this run did not make it. None of them is read."""
        if not self._ran or not self._files.isdir(folder.as_posix()):
            return []
        return sorted(Path(entry["name"]) for entry in self._files.ls(folder.as_posix()) if entry["type"] == "file")

    def cached(self, path: Path) -> Path | None:
        """Return where the DVC cache of this machine keeps a file; None where it does not, though the remote may."""
        try:
            known = self._files.info(path.as_posix()).get("dvc_info", {}).get("md5")
        except FileNotFoundError:
            return None
        kept = Path(self._files.repo.cache.local.oid_to_path(known)) if known else None
        return kept if kept and kept.is_file() else None


@dataclass(frozen=True)
class Carrier:
    """A commit that carries a run, and the branches and tags that point to it, with no remote's name."""

    commit: str
    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def carriers(root: Path) -> list[Carrier]:
    """Return the commits of all runs and dataset versions of a repository, oldest first."""
    command = ["git", "for-each-ref", f"--format={_FIELDS}", *_REFS]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
    if listed.returncode:
        raise MetadataError(root, f"git can't list its runs: {listed.stderr.strip()}")
    rows = [line.split(" ", 2) for line in listed.stdout.splitlines()]
    dates = {commit: int(date) for commit, date, _ in rows}
    names = {commit: [ref for other, _, ref in rows if other == commit] for commit in dates}
    oldest_first = sorted(dates, key=lambda commit: (dates[commit], commit))
    return [Carrier(commit, _of(names[commit], "runs/"), _of(names[commit], "dataset/")) for commit in oldest_first]


def _of(refs: Iterable[str], kind: str) -> tuple[str, ...]:
    return tuple(sorted({kind + ref.partition(f"/{kind}")[2] for ref in refs if f"/{kind}" in ref}))
