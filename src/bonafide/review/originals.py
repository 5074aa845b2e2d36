"""Finds the originals of media items by their ids: their bytes are what the id is the SHA-256 of."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bonafide import artefacts
from bonafide.errors import MetadataError
from bonafide.files import sha256_of, write_bytes
from bonafide.metadata.sources import Revision
from bonafide.settings import Settings

Find = Callable[[str], Path | None]
"""From a media id to a file with those bytes, or None where it is lost."""


@contextmanager
def of_dataset(paths: Mapping[str, str], commit: str, settings: Settings) -> Iterator[Find]:
    """Look in the living folder of originals, and where it does not hold them any more, in the DVC cache as of a run's commit.

    Args:
        paths: media id -> path relative to the folder of originals.
        commit: of the run whose items they are.
        settings: of the checkout.
    """
    with tempfile.TemporaryDirectory() as folder:

        @cache
        def revision() -> Revision | None:
            return _revision(settings.root, commit)

        def find(media_id: str) -> Path | None:
            living = settings.raw_dir / paths[media_id]
            if living.is_file() and sha256_of(living) == media_id:
                return living
            return _restored(revision(), artefacts.RAW / paths[media_id], Path(folder))

        yield find


def of_regression(settings: Settings) -> Find:
    """Look in the folder of items that were reported wrong: ``data/regression/<label>/<media id>.<ext>``."""
    folder = settings.root / artefacts.REGRESSION_MEDIA
    return lambda media_id: next(folder.glob(f"*/{media_id}.*"), None)


def _revision(root: Path, commit: str) -> Revision | None:
    from dvc.exceptions import DvcException  # takes half a second to import

    try:
        return Revision(root, commit)
    except DvcException:  # the commit of another clone, whose runs were not pushed to here
        return None


def _restored(revision: Revision | None, path: Path, folder: Path) -> Path | None:
    try:
        data = revision.read(path) if revision else None
    except MetadataError:  # neither in the cache nor on the remote
        return None
    if data is None:
        return None
    write_bytes(folder / path.name, data)
    return folder / path.name
