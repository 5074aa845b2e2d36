"""Write and read shards: one tar per media item with its frames and a ``shard.json``; equal content gives equal bytes."""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realframe.files import atomic_path

_FACTS = "shard.json"


def write_shard(target: Path, facts: dict[str, Any], frames: Iterable[tuple[str, bytes]]) -> None:
    """Write ``facts`` and ``frames``, pairs of name and content, to the tar ``target``, atomically.

    The facts come first, so that they can be read without the frames.
    """
    with atomic_path(target) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in [(_FACTS, json.dumps(facts, sort_keys=True, indent=1).encode()), *frames]:
            member = tarfile.TarInfo(name)  # owner, group and time are 0 by default
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


class Shard:
    """A shard opened for reading.

    Attributes:
        facts: the content of ``shard.json``.
    """

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.facts: dict[str, Any] = json.loads(self._read_member(tar.next()))

    def frames(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the content of each frame, in order."""
        for member in self._tar:
            if member.name != _FACTS:
                yield member.name, self._read_member(member)

    def _read_member(self, member: tarfile.TarInfo | None) -> bytes:
        stream = self._tar.extractfile(member) if member else None
        if stream is None:
            raise tarfile.ReadError("a shard contains ordinary files only")
        return stream.read()


@contextmanager
def open_shard(path: Path) -> Iterator[Shard]:
    """Open the shard at ``path`` for reading."""
    with tarfile.open(path, "r:") as tar:
        yield Shard(tar)


def read_shard_frames(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]:
    """Read the frames of a clean shard.

    Returns:
        The frames, uint8 RGB (N, size, size, 3); the index of each among the item's sampled frames, int64 (N,); the time of each,
        seconds since the item's first frame, float64 (N,). N is at least 1 for the shards in ``data/clean``.
    """
    with open_shard(path) as shard:
        times_s, size = shard.facts["times_s"], shard.facts["size"]
        members = list(shard.frames())
    indices = np.array([int(name.split(".")[0]) for name, _ in members], np.int64)
    frames = np.empty((len(members), size, size, 3), np.uint8)
    for position, (_, data) in enumerate(members):
        frames[position] = np.asarray(Image.open(io.BytesIO(data)))
    return frames, indices, np.array(times_s, np.float64)[indices]
