"""Probe a media file: find the facts of the catalog from its content, without decoding it, or refuse it."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

from PIL import Image

from realframe.config import Limits
from realframe.errors import NoVideoStreamError
from realframe.media import encoding_facts
from realframe.media.limits import check_duration, check_file, contain_failures
from realframe.media.still_image import count_pictures, exif_rotation, open_image, upright_size
from realframe.media.video_stream import VideoStreamInfo, read_video_stream


@dataclass(frozen=True)
class MediaFacts:
    """The facts of one media file.

    Attributes:
        kind: ``image`` or ``video``; a GIF of several pictures is a video.
        container: ``mp4``, ``mov``, ``mkv``, ``webm``, ``avi``, ``gif``, ``jpeg``, ``png``, ``webp``, ``heif``, ``avif``, ``bmp``,
            ``tiff``.
        codec: of a video, by FFmpeg's name; of an image, its container.
        width: as a viewer shows it, upright and with square pixels, in pixels.
        height: as a viewer shows it.
        rotation: degrees clockwise by which the stored picture is rotated to be upright: 0, 90, 180 or 270.
        fps: mean frames per second; 0 for images.
        variable_fps: whether the frames of a video are spaced unevenly.
        frames: number of frames; 1 for images.
        duration_s: seconds; 0 for images.
        bytes: size of the file.
        quantization: digest of a JPEG's quantization tables, 12 hex digits; empty for other formats.
        jpeg_quality: estimated from these tables, 1 to 100; 0 for other formats.
        metadata: names of the metadata and other streams in the file, sorted, separated by spaces.
        picture_count: pictures of an image file, or video tracks, that a viewer offers, of which the first is scored.
        extra_bytes: behind the end of a video's structure.
        is_interlaced: the video is interlaced; its frames are deinterlaced.
        hdr: ``PQ`` or ``HLG`` for a video of high dynamic range, which is converted to ordinary colors.
    """

    kind: Literal["image", "video"]
    container: str
    codec: str
    width: int
    height: int
    rotation: int
    fps: float
    variable_fps: bool
    frames: int
    duration_s: float
    bytes: int
    quantization: str
    jpeg_quality: int
    metadata: str
    picture_count: int = 1
    extra_bytes: int = 0
    is_interlaced: bool = False
    hdr: str = ""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Create the facts from a row of ``data/media.parquet``, which has those without a default."""
        return cls(**{field.name: row[field.name] for field in fields(cls) if field.default is MISSING})


def probe_media(path: Path, limits: Limits) -> MediaFacts:
    """Return the facts of a media file, from its content alone; the file is not changed.

    Raises:
        EmptyFileError: the file has 0 bytes.
        UnreadableFileError: the operating system does not allow reading it, or it is not an ordinary file.
        NotMediaError: it is neither an image nor a video.
        NoVideoStreamError: it has sound only.
        UndecodableError: it is cut short or damaged, as far as that is visible without decoding it.
        LimitExceededError: it exceeds one of ``limits``.
        DecoderCrashError: a library fails at it in another way.
    """
    signature, size = check_file(path, limits.max_bytes)
    if signature.kind == "audio":
        raise NoVideoStreamError(path, "begins like a sound recording, which has no pictures", "Use the video itself.")
    with contain_failures(path):
        if signature.kind == "image":
            with open_image(path, signature.container, limits.max_pixels, path) as image:
                if signature.container != "gif" or getattr(image, "n_frames", 1) == 1:
                    return _image_facts(path, image, signature.container, size)
        return _video_facts(path, signature.container, read_video_stream(path, signature.container, limits), limits, size)


def _image_facts(path: Path, image: Image.Image, container: str, size: int) -> MediaFacts:
    width, height = upright_size(image)
    return MediaFacts(
        kind="image",
        container=container,
        codec=container,
        width=width,
        height=height,
        rotation=exif_rotation(image),
        fps=0.0,
        variable_fps=False,
        frames=1,
        duration_s=0.0,
        bytes=size,
        quantization=encoding_facts.quantization_digest(image),
        jpeg_quality=encoding_facts.estimate_jpeg_quality(image),
        metadata=encoding_facts.image_metadata_names(image),
        picture_count=count_pictures(path, container, image),
    )


def _video_facts(path: Path, container: str, stream: VideoStreamInfo, limits: Limits, size: int) -> MediaFacts:
    steps = sorted(later - earlier for earlier, later in zip(stream.pts, stream.pts[1:], strict=False))
    median_step = steps[len(steps) // 2] if steps else 0
    span = stream.pts[-1] - stream.pts[0]
    duration = float((span + median_step) * stream.time_base)
    check_duration(path, duration, limits.max_duration_s)
    tolerance = max(1, median_step // 50)  # a time base of milliseconds rounds a steady 30 fps to steps of 33 and 34
    fps = float(len(steps) / (span * stream.time_base)) if span else 0.0
    return MediaFacts(
        kind="video",
        container=container,
        codec=stream.codec,
        width=stream.width,
        height=stream.height,
        rotation=stream.rotation,
        fps=round(fps, 3),
        variable_fps=any(abs(step - median_step) > tolerance for step in steps),
        frames=len(stream.pts),
        duration_s=round(duration, 6),
        bytes=size,
        quantization="",
        jpeg_quality=0,
        metadata=stream.metadata,
        picture_count=stream.track_count,
        extra_bytes=stream.extra_bytes,
        is_interlaced=stream.is_interlaced,
        hdr=stream.hdr,
    )
