"""The sampled frames of one media item, in a shard. A video is decoded by one FFmpeg process with one thread, whole, in order.

The display matrix of a video is applied here, by FFmpeg, and nowhere else: the frames in the shard stand upright. A still image
enters the shard byte by byte, so its EXIF orientation is applied when it is cleaned.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from PIL import Image

from realframe.config import Extract, Limits
from realframe.errors import UndecodableError
from realframe.media.decode import DecodedFrames, decode_frames, decode_ticks
from realframe.media.frame_sampling import choose
from realframe.media.probe import MediaFacts
from realframe.media.shards import write_shard
from realframe.media.still_image import flattened, opened
from realframe.media.video_stream import PictureStream, read_stream

Made = TypeVar("Made")

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
        times, frames = sampled(source, facts.container, extract, limits, lambda frame, _: frame)
    shard = {"media_id": media_id, "kind": facts.kind, "container": facts.container, "rotation": facts.rotation, "times_s": times}
    write_shard(target, shard, frames)


def sampled(
    source: Path, container: str, extract: Extract, limits: Limits, make: Callable[[tuple[str, bytes], int], Made]
) -> tuple[list[float], list[Made]]:
    """Return when each sampled frame of a video is shown, seconds since its first frame, and what ``make`` makes of it.

    Args:
        source: the video.
        container: of ``signature.DEMUXERS``.
        extract: which frames and how they are encoded.
        limits: what the decoder may cost.
        make: is given a frame as it stands in a shard, its name and its bytes, as soon as it is decoded, and how many there will be. Where
            the decoder shows other frames than the packets promise, it is called anew from the first.

    Raises:
        UndecodableError: the file is cut short or damaged.
        OverLimitError: decoding it takes more than ``limits`` allows.
    """
    stream = read_stream(source, container, limits)
    chosen, made, shown = _decoded(source, container, stream, extract, limits, make)
    if shown.decoded != len(stream.ticks) or list(shown.ticks) != [stream.ticks[index] for index in chosen]:
        stream = _as_decoded(source, container, stream, limits)
        chosen, made, shown = _decoded(source, container, stream, extract, limits, make)
    if list(shown.ticks) != [stream.ticks[index] for index in chosen]:
        raise UndecodableError(source, "gives other frames each time that it is decoded", "Export it again.")
    return [round(float(stream.times[index]), 6) for index in chosen], made


def _decoded(
    source: Path, container: str, stream: PictureStream, extract: Extract, limits: Limits, make: Callable[[tuple[str, bytes], int], Made]
) -> tuple[list[int], list[Made], DecodedFrames]:
    """Choose frames and decode them: the indices, what was made of each, and what the decoder showed, which is to be compared."""
    made: list[Made] = []
    chosen = choose(stream.times, extract.sampling, extract.max_frames)

    def take(place: int, picture: bytes) -> None:
        made.append(make(_encoded(place, picture, extract.encoding), len(chosen)))

    return chosen, made, decode_frames(source, container, stream.index, chosen, limits, take)


def _as_decoded(source: Path, container: str, stream: PictureStream, limits: Limits) -> PictureStream:
    """Take the ticks from a decoder that shows other frames than the packets promise, as where a recording was cut mid-sequence."""
    ticks = decode_ticks(source, container, stream.index, limits)
    if not ticks:
        raise UndecodableError(source, "holds no frame that can be decoded", "Check that it plays; export it again.")
    return stream.shown_at(ticks)


def _encoded(place: int, picture: bytes, encoding: str) -> tuple[str, bytes]:
    if encoding == "png":
        return f"{place:05d}.png", picture
    data = BytesIO()
    with Image.open(BytesIO(picture)) as image:
        flattened(image).save(data, "JPEG", quality=95, subsampling=0)
    return f"{place:05d}.jpg", data.getvalue()
