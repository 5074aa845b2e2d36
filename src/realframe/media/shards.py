"""Shards: one tar per media item with its frames and a ``shard.json``. The same content always gives the same bytes.

What the media stages leave behind: a folder with the shards of this run and no others, and one line that sums the run up.
"""

import io
import json
import tarfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realframe.errors import MediaError
from realframe.files import atomic_path

_FACTS = "shard.json"


def write_shard(target: Path, facts: dict[str, Any], frames: Iterable[tuple[str, bytes]]) -> None:
    """Write ``facts`` and the (name, bytes) pairs of ``frames`` to the tar ``target``, atomically.

    The facts come first, so that they are read without reading the frames.
    """
    with atomic_path(target) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in [(_FACTS, json.dumps(facts, sort_keys=True, indent=1).encode()), *frames]:
            member = tarfile.TarInfo(name)  # its owner, group and time are 0 unless told
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


class Shard:
    """An open shard.

    Attributes:
        facts: the content of ``shard.json``.
    """

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.facts: dict[str, Any] = json.loads(self._bytes(tar.next()))

    def frames(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the bytes of each frame, in order."""
        for member in self._tar:
            if member.name != _FACTS:
                yield member.name, self._bytes(member)

    def _bytes(self, member: tarfile.TarInfo | None) -> bytes:
        stream = self._tar.extractfile(member) if member else None
        if stream is None:
            raise tarfile.ReadError("a shard holds plain files only")
        return stream.read()


@contextmanager
def open_shard(path: Path) -> Iterator[Shard]:
    """Open the shard at ``path`` for reading."""
    with tarfile.open(path, "r:") as tar:
        yield Shard(tar)


def read_frames(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]:
    """Read a clean shard.

    Returns:
        The frames, uint8 RGB (N, size, size, 3); the index of each among the item's sampled frames, int64 (N,); when each is shown,
        seconds since the item's first frame, float64 (N,). N is at least 1 for the shards that the pipeline hands on.
    """
    with open_shard(path) as shard:
        times, size = shard.facts["times_s"], shard.facts["size"]
        members = list(shard.frames())
    indices = np.array([int(name.split(".")[0]) for name, _ in members], np.int64)
    frames = np.empty((len(members), size, size, 3), np.uint8)
    for place, (_, data) in enumerate(members):
        frames[place] = np.asarray(Image.open(io.BytesIO(data)))
    return frames, indices, np.array(times, np.float64)[indices]


def keep_only(folder: Path, names: Collection[str]) -> None:
    """Make ``folder``, and remove what is not among ``names``: shards of items that are gone, and what a killed run left half-written."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.name not in names:
            file.unlink()


def summary(stage: str, taken: int, cached: int, errors: Iterable[MediaError], dropped: Iterable[str] = ()) -> str:
    """Return the line that tells what became of the items, and of the frames that were dropped, by reason."""
    parts = [f"{taken} taken ({cached} cached)", f"quarantined {_counts(error.code for error in errors)}"]
    reasons = list(dropped)
    return f"{stage}: " + ", ".join([*parts, f"frames dropped {_counts(reasons)}"] if reasons else parts)


def _counts(names: Iterable[str]) -> str:
    counts = Counter(names)
    detail = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{counts.total()}{f' ({detail})' if detail else ''}"
