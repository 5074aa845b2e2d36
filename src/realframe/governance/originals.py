"""Find the original files of media items by media id, which is the SHA-256 of the file.

A folder of originals changes with every ingest, so a file counts only if its content has that digest.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from realframe import artifacts
from realframe.errors import MetadataError
from realframe.files import sha256_of, write_bytes
from realframe.settings import Settings
from realframe.store.run_artifacts import RevisionSource

FindOriginal = Callable[[str], Path | None]
"""Maps a media id to a file with that content, or to None if there is none."""


@contextmanager
def dataset_originals(paths: Mapping[str, str], commit: str, settings: Settings) -> Iterator[FindOriginal]:
    """Yield a function that finds the originals of a dataset: in ``data/raw``, else in the DVC cache at a run's commit.

    Args:
        paths: media id -> path relative to ``data/raw``.
        commit: of the run whose items they are.
        settings: of the checkout.
    """
    with tempfile.TemporaryDirectory() as folder:

        @cache
        def revision() -> RevisionSource | None:
            return _open_revision(settings.root, commit)

        def find_original(media_id: str) -> Path | None:
            current = settings.raw_dir / paths[media_id]
            if current.is_file() and sha256_of(current) == media_id:
                return current
            return _restore(revision(), artifacts.RAW_MEDIA / paths[media_id], Path(folder))

        yield find_original


def regression_originals(settings: Settings) -> FindOriginal:
    """Return a function that finds the originals of the regression set: ``data/regression/<label>/<media id>.<ext>``."""
    folder = settings.root / artifacts.REGRESSION_MEDIA
    return lambda media_id: next(folder.glob(f"*/{media_id}.*"), None)


def _open_revision(root: Path, commit: str) -> RevisionSource | None:
    from dvc.exceptions import DvcException  # takes half a second to import

    try:
        return RevisionSource(root, commit)
    except DvcException:  # the commit of another clone whose runs were not pushed
        return None


def _restore(revision: RevisionSource | None, path: Path, folder: Path) -> Path | None:
    try:
        data = revision.read(path) if revision else None
    except MetadataError:  # neither in the cache nor on the remote
        return None
    if data is None:
        return None
    write_bytes(folder / path.name, data)
    return folder / path.name
