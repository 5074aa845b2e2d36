"""What a media file is, found from its content without decoding it: the facts that the catalog keeps, or the reason to refuse it."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

from PIL import Image

from realframe.config import Limits
from realframe.errors import EmptyFileError, NotMediaError, NoVideoStreamError, OverLimitError, UnreadableFileError
from realframe.media import encoding_facts
from realframe.media.signature import HEAD_BYTES, Signature, sniff
from realframe.media.still_image import opened, rotation_of
from realframe.media.video_stream import PictureStream, read_stream


@dataclass(frozen=True)
class MediaFacts:
    """The facts of one media file.

    Attributes:
        kind: ``image`` or ``video``; a GIF of several pictures is a video.
        container: ``mp4``, ``mov``, ``mkv``, ``webm``, ``avi``, ``gif``, ``jpeg``, ``png``, ``webp``, ``heif``, ``avif``, ``bmp``,
            ``tiff``.
        codec: FFmpeg's name of a video's codec; an image's container.
        width: upright, in pixels.
        height: upright, in pixels.
        rotation: degrees clockwise by which the stored picture is turned to stand upright: 0, 90, 180 or 270.
        fps: mean frames per second; 0 for images.
        variable_fps: whether the frames of a video are spaced unevenly.
        frames: how many are shown; 1 for images.
        duration_s: seconds; 0 for images.
        bytes: of the file.
        quantisation: 12 hex digits over a JPEG's quantisation tables; empty for all else.
        jpeg_quality: estimated from them, 1 to 100; 0 for all else.
        metadata: sorted, space-separated names of what the file carries besides its pictures.
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
    quantisation: str
    jpeg_quality: int
    metadata: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Take the facts out of a row of ``data/media.parquet``."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})


def probe(path: Path, limits: Limits) -> MediaFacts:
    """Return the facts of ``path``, from its content alone; the file is only read.

    Raises:
        EmptyFileError: it has 0 bytes.
        UnreadableFileError: the operating system won't let us read it, or it is no ordinary file.
        NotMediaError: it is neither an image nor a video.
        NoVideoStreamError: it holds sound only.
        UndecodableError: it is cut short or damaged, as far as that shows without decoding it.
        OverLimitError: it is beyond one of ``limits``.
    """
    signature, size = _look(path, limits)
    if signature.kind == "audio":
        raise NoVideoStreamError(path, "is a sound recording without pictures", "Give the video itself.")
    if signature.kind == "image":
        with opened(path, signature.container, limits.max_pixels, path) as image:
            if signature.container != "gif" or getattr(image, "n_frames", 1) == 1:
                return _image_facts(image, signature.container, size)
    return _video_facts(path, signature.container, read_stream(path, signature.container, limits), limits, size)


def _look(path: Path, limits: Limits) -> tuple[Signature, int]:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise UnreadableFileError(path, "is no ordinary file", "Give the file itself.")
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise UnreadableFileError(path, f"can't be read: {error.strerror}", "Check its permissions and the disk.") from error
    if not head:
        raise EmptyFileError(path, "is empty (0 bytes)", "Copy or download it again.")
    if facts.st_size > limits.max_bytes:
        raise OverLimitError(path, f"has {facts.st_size:,} bytes, more than {limits.max_bytes:,}", "Cut it, or raise limits.max_bytes.")
    signature = sniff(head)
    if signature is None:
        raise NotMediaError(path, "is no image or video that we know, whatever its name says", "Give mp4, mov, mkv, webm, avi or an image.")
    return signature, facts.st_size


def _image_facts(image: Image.Image, container: str, size: int) -> MediaFacts:
    turned = rotation_of(image)
    width, height = image.size[::-1] if turned % 180 else image.size
    return MediaFacts(
        kind="image",
        container=container,
        codec=container,
        width=width,
        height=height,
        rotation=turned,
        fps=0.0,
        variable_fps=False,
        frames=1,
        duration_s=0.0,
        bytes=size,
        quantisation=encoding_facts.quantisation_of(image),
        jpeg_quality=encoding_facts.jpeg_quality_of(image),
        metadata=encoding_facts.carried_by_image(image),
    )


def _video_facts(path: Path, container: str, stream: PictureStream, limits: Limits, size: int) -> MediaFacts:
    steps = sorted(later - earlier for earlier, later in zip(stream.ticks, stream.ticks[1:], strict=False))
    usual = steps[len(steps) // 2] if steps else 0
    shown = stream.ticks[-1] - stream.ticks[0]
    duration = float((shown + usual) * stream.time_base)
    if duration > limits.max_duration_s:
        over = f"lasts {duration:,.0f} s, more than {limits.max_duration_s:,.0f} s"
        raise OverLimitError(path, over, "Cut it, or raise limits.max_duration_s.")
    slack = max(1, usual // 50)  # millisecond time bases round a steady 30 fps to steps of 33 and 34
    variable = any(abs(step - usual) > slack for step in steps)
    fps = float(len(steps) / (shown * stream.time_base)) if shown else 0.0
    return MediaFacts(
        kind="video",
        container=container,
        codec=stream.codec,
        width=stream.width,
        height=stream.height,
        rotation=stream.rotation,
        fps=round(fps, 3),
        variable_fps=variable,
        frames=len(stream.ticks),
        duration_s=round(duration, 6),
        bytes=size,
        quantisation="",
        jpeg_quality=0,
        metadata=stream.metadata,
    )
