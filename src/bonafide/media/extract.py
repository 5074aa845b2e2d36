"""The sampled frames of one media item, in a shard. A video is decoded by one FFmpeg process with one thread, whole, in order.

The display matrix of a video is applied here, by FFmpeg, and nowhere else: the frames in the shard stand upright. A still image
enters the shard byte by byte, so its EXIF orientation is applied when it is cleaned.
"""

import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

from bonafide.errors import UndecodableError
from bonafide.media.decode import decode_frames, decode_ticks
from bonafide.media.picture import flattened, opened
from bonafide.media.probe import MediaFacts
from bonafide.media.sampling import choose
from bonafide.media.shards import write_shard
from bonafide.media.stream import PictureStream, read_stream
from bonafide.params import Extract, Limits

_SUFFIXES = {"jpeg": "jpg", "heif": "heic"}


def extract(source: Path, media_id: str, facts: MediaFacts, extract: Extract, limits: Limits, target: Path) -> None:
    """Write the shard of ``source`` to ``target``, atomically; ``source`` is only read.

    Args:
        source: the media file.
        media_id: the sha256 of its bytes.
        facts: what ``probe`` found.
        extract: which frames and how they are encoded.
        limits: what the decoder may cost.
        target: the shard.

    Raises:
        UndecodableError: the file is cut short or damaged.
        OverLimitError: decoding it takes more than ``limits`` allows.
    """
    if facts.kind == "image":
        with opened(source, facts.container, limits.max_pixels, source) as image:
            image.load()  # finds a file that is cut short
        times, frames = [0.0], [(f"00000.{_SUFFIXES.get(facts.container, facts.container)}", source.read_bytes())]
    else:
        times, frames = _video_frames(source, facts.container, extract, limits)
    shard = {"media_id": media_id, "kind": facts.kind, "container": facts.container, "rotation": facts.rotation, "times_s": times}
    write_shard(target, shard, frames)


def _video_frames(source: Path, container: str, extract: Extract, limits: Limits) -> tuple[list[float], list[tuple[str, bytes]]]:
    stream = read_stream(source, container, limits)
    with tempfile.TemporaryDirectory() as folder:
        chosen = choose(stream.times, extract.sampling, extract.max_frames)
        pictures = decode_frames(source, container, stream.index, chosen, limits, Path(folder))
        if pictures.decoded != len(stream.ticks) or list(pictures.ticks) != [stream.ticks[index] for index in chosen]:
            stream = _as_decoded(source, container, stream, limits)
            chosen = choose(stream.times, extract.sampling, extract.max_frames)
            pictures = decode_frames(source, container, stream.index, chosen, limits, Path(folder))
        if list(pictures.ticks) != [stream.ticks[index] for index in chosen]:
            raise UndecodableError(source, "gives other frames each time that it is decoded", "Export it again.")
        times = [round(float(stream.times[index]), 6) for index in chosen]
        return times, [_encoded(place, file, extract.encoding) for place, file in enumerate(pictures.files)]


def _as_decoded(source: Path, container: str, stream: PictureStream, limits: Limits) -> PictureStream:
    """Take the ticks from a decoder that shows other frames than the packets promise, as where a recording was cut mid-sequence."""
    ticks = decode_ticks(source, container, stream.index, limits)
    if not ticks:
        raise UndecodableError(source, "holds no frame that can be decoded", "Check that it plays; export it again.")
    return stream.shown_at(ticks)


def _encoded(place: int, file: Path, encoding: str) -> tuple[str, bytes]:
    if encoding == "png":
        return f"{place:05d}.png", file.read_bytes()
    data = BytesIO()
    with Image.open(file) as image:
        flattened(image).save(data, "JPEG", quality=95, subsampling=0)
    return f"{place:05d}.jpg", data.getvalue()
