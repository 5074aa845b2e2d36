"""Extract the sampled frames of one media item into a shard. A video is decoded by one FFmpeg process with one thread, whole, in order.

What a player does to a video is done here and nowhere else (``decode.py``): the frames in the shard are upright. A still image is copied
into the shard unchanged, so its EXIF orientation is applied when it is cleaned.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Generic, TypeVar

from PIL import Image

from realframe.config import ExtractParams, Limits
from realframe.errors import UndecodableError
from realframe.media.decode import DecodedFrames, decode_frames, decode_pts
from realframe.media.frame_sampling import sample_indices
from realframe.media.image_damage import decode_image
from realframe.media.probe import MediaFacts
from realframe.media.shards import write_shard
from realframe.media.still_image import flatten_image
from realframe.media.video_damage import measure_total_damage
from realframe.media.video_stream import VideoStreamInfo, read_video_stream

Converted = TypeVar("Converted")

_SUFFIXES = {"jpeg": "jpg", "heif": "heic"}


@dataclass(frozen=True)
class SampledVideo(Generic[Converted]):
    """The sampled frames of a video.

    Attributes:
        times_s: time of each frame, seconds since the first frame of the video.
        frames: what ``convert`` returned for each.
        damaged_share: share of the frames of the video that are damaged or missing, below ``MAX_DAMAGED_SHARE``; None where none is found.
        is_interlaced: frames of the video are interlaced, and were deinterlaced.
    """

    times_s: list[float]
    frames: list[Converted]
    damaged_share: float | None
    is_interlaced: bool


def extract_frames(source: Path, media_id: str, facts: MediaFacts, params: ExtractParams, limits: Limits, target: Path) -> None:
    """Write the shard of a media file to ``target``, atomically; ``source`` is not changed.

    Args:
        source: the media file.
        media_id: SHA-256 of its bytes.
        facts: of the file, from ``probe_media``.
        params: which frames and how they are encoded.
        limits: what the decoder may cost.
        target: the shard.

    Raises:
        UndecodableError: the file is cut short or damaged.
        LimitExceededError: decoding it needs more than ``limits`` allows.
    """
    if facts.kind == "image":
        with decode_image(source, facts.container, limits.max_pixels, source):  # fails for a file that is cut short or damaged
            times_s, frames = [0.0], [(f"00000.{_SUFFIXES.get(facts.container, facts.container)}", source.read_bytes())]
    else:
        sampled = sample_video(source, facts.container, params, limits, lambda frame, _: frame)
        times_s, frames = sampled.times_s, sampled.frames
    shard = {"media_id": media_id, "kind": facts.kind, "container": facts.container, "rotation": facts.rotation, "times_s": times_s}
    write_shard(target, shard, frames)


def sample_video(
    source: Path, container: str, params: ExtractParams, limits: Limits, convert: Callable[[tuple[str, bytes], int], Converted]
) -> SampledVideo[Converted]:
    """Return the sampled frames of a video as a player shows them.

    Args:
        source: the video.
        container: a key of ``signature.DEMUXERS``.
        params: which frames and how they are encoded.
        limits: what the decoder may cost.
        convert: called with a frame as it is stored in a shard (name and bytes), as soon as it is decoded, and the number of sampled
            frames. If the decoder returns other frames than the packets announce, or interlaced ones after a first frame that is not,
            it is called again from the first frame.

    Raises:
        UndecodableError: the file is cut short or damaged.
        LimitExceededError: decoding it needs more than ``limits`` allows.
    """
    stream = stated = read_video_stream(source, container, limits)
    indices, converted, decoded = _decode_sampled(source, container, stream, params, limits, convert)
    if decoded.decoded_count != len(stream.pts) or list(decoded.pts) != [stream.pts[index] for index in indices]:
        stream = replace(_with_decoded_pts(source, container, stream, limits), is_interlaced=stream.is_interlaced or decoded.is_interlaced)
        indices, converted, decoded = _decode_sampled(source, container, stream, params, limits, convert)
    if decoded.is_interlaced and not stream.is_interlaced:
        stream = replace(stream, is_interlaced=True)
        indices, converted, decoded = _decode_sampled(source, container, stream, params, limits, convert)
    if list(decoded.pts) != [stream.pts[index] for index in indices]:
        raise UndecodableError(source, "gives other frames each time it is decoded", "Export it again.")
    damaged_share = measure_total_damage(source, container, stated, limits, decoded.log)
    times_s = [round(float(stream.times_s[index]), 6) for index in indices]
    return SampledVideo(times_s, converted, damaged_share, stream.is_interlaced)


def _decode_sampled(
    source: Path,
    container: str,
    stream: VideoStreamInfo,
    params: ExtractParams,
    limits: Limits,
    convert: Callable[[tuple[str, bytes], int], Converted],
) -> tuple[list[int], list[Converted], DecodedFrames]:
    """Return the indices of the sampled frames, what ``convert`` returned for each, and what the decoder returned."""
    converted: list[Converted] = []
    indices = sample_indices(stream.times_s, params.sampling, params.max_frames)

    def convert_frame(position: int, png: bytes) -> None:
        converted.append(convert(_encode(position, png, params.encoding), len(indices)))

    return indices, converted, decode_frames(source, container, stream, indices, limits, convert_frame)


def _with_decoded_pts(source: Path, container: str, stream: VideoStreamInfo, limits: Limits) -> VideoStreamInfo:
    """Return the stream with the times that the decoder gives; they differ from the packets' if a recording was cut mid-sequence."""
    pts = decode_pts(source, container, stream.index, limits)
    if not pts:
        raise UndecodableError(source, "has no frame that can be decoded", "Check that it plays; export it again.")
    return stream.with_pts(pts)


def _encode(position: int, png: bytes, encoding: str) -> tuple[str, bytes]:
    if encoding == "png":
        return f"{position:05d}.png", png
    data = BytesIO()
    with Image.open(BytesIO(png)) as image:
        flatten_image(image).save(data, "JPEG", quality=95, subsampling=0)
    return f"{position:05d}.jpg", data.getvalue()
