"""A file that kills the process that scores it must not do so for ever: what is at work is written down."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bonafide.files import write_text

_MOST = 2


class Tries:
    """How often each file of a shard was begun and never ended, also by processes that are no more.

    Args:
        path: where it is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}

    @contextmanager
    def of(self, name: str) -> Iterator[bool]:
        """Note that a file is at work, as long as this lasts or the process dies of it; yield whether it may be tried once more."""
        before = self._begun.get(name, 0)
        if before >= _MOST:
            yield False
            return
        self._write({**self._begun, name: before + 1})
        try:
            yield True
        finally:
            self._write({other: count for other, count in self._begun.items() if other != name})

    def forget(self) -> None:
        """Take all notes away: the shard is done."""
        self._path.unlink(missing_ok=True)

    def _write(self, begun: dict[str, int]) -> None:
        self._begun = begun
        write_text(self._path, json.dumps(begun))
