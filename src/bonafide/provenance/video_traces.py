"""What a video's tags state, those of the file and those of its streams. Only its structure is read."""

from collections.abc import Iterator
from pathlib import Path

import av

from bonafide.media.signature import DEMUXERS
from bonafide.media.stream import OPEN_OPTIONS
from bonafide.provenance.statement import Statement, keyed


def video_statements(path: Path, container: str) -> Iterator[Statement]:
    """Yield what the tags of a video state. Raises an error of FFmpeg's where its structure can't be read."""
    with av.open(f"file:{path}", format=DEMUXERS[container], options=OPEN_OPTIONS, metadata_errors="replace") as opened:
        for tags in (opened.metadata, *(stream.metadata for stream in opened.streams)):
            for key, value in tags.items():
                yield keyed("{} tag", key, value)
