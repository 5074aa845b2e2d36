"""The picture stream of a video file, read packet by packet: its facts and when each frame is shown. Only one frame is decoded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from realframe.config import Limits
from realframe.errors import NoVideoStreamError, OverLimitError, UndecodableError
from realframe.media.encoding_facts import carried_by_video
from realframe.media.limits import missing_bytes
from realframe.media.signature import DEMUXERS

# A decoder is a program fed by strangers: only those of the cameras, editors and generators that people use are let at a file.
CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "gif", "prores", "mpeg2video", "ffv1", "png", "rawvideo"})
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(sorted(set(DEMUXERS.values())))}


@dataclass(frozen=True)
class PictureStream:
    """What the packets of a video's picture stream say.

    Attributes:
        index: which stream of the file it is.
        codec: FFmpeg's name of the codec.
        width: upright, in pixels.
        height: upright, in pixels.
        rotation: degrees clockwise by which the stored picture is turned to stand upright (0, 90, 180, 270).
        ticks: when each frame is shown, in units of ``time_base``, rising; frames cut away by an edit list are not among them.
        time_base: seconds per tick.
        metadata: the names of the tags and streams that the file carries besides, as ``traces.carried_by_video`` lists them.
    """

    index: int
    codec: str
    width: int
    height: int
    rotation: int
    ticks: tuple[int, ...]
    time_base: Fraction
    metadata: str

    @property
    def times(self) -> list[Fraction]:
        """Seconds from the first frame to each frame, exact."""
        return [(tick - self.ticks[0]) * self.time_base for tick in self.ticks]

    def shown_at(self, ticks: tuple[int, ...]) -> "PictureStream":
        """Return the same stream with other ticks."""
        return replace(self, ticks=ticks)


def read_stream(path: Path, container: str, limits: Limits) -> PictureStream:
    """Read the picture stream of ``path``, a video file in ``container`` (of ``signature.DEMUXERS``).

    Raises:
        NoVideoStreamError: there is sound at most, or only a cover picture.
        UndecodableError: the file is cut short or damaged, or in a codec that is not among ``CODECS``.
        OverLimitError: its frames are larger than ``limits`` allows.
    """
    if missing := missing_bytes(path, DEMUXERS[container]):
        raise UndecodableError(path, f"is cut short: at least {missing:,} bytes of its end are missing", "Copy or download it again.")
    with _opened(path, container, limits) as (opened, stream):
        first, ticks = _walk(opened, stream)
        if first is None or not ticks:
            raise UndecodableError(path, "holds no frame that can be decoded", "Check that it plays; export it again.")
        rotation = round(-first.rotation / 90) * 90 % 360  # FFmpeg counts counter-clockwise
        width, height = (first.height, first.width) if rotation % 180 else (first.width, first.height)
        codec = stream.codec_context.codec.canonical_name
        carried = carried_by_video(opened, stream)
        return PictureStream(stream.index, codec, width, height, rotation, tuple(ticks), Fraction(stream.time_base or 1), carried)


@contextmanager
def _opened(path: Path, container: str, limits: Limits) -> Iterator[tuple[InputContainer, VideoStream]]:
    damaged = UndecodableError(path, "is damaged: its structure can't be read", "Check that it plays; copy or export it again.")
    try:
        with av.open(f"file:{path}", format=DEMUXERS[container], options=OPEN_OPTIONS) as opened:
            stream = next((s for s in opened.streams.video if not s.disposition & Disposition.attached_pic), None)
            if stream is None:
                raise NoVideoStreamError(path, "has no picture stream, only sound or data", "Give the video itself.")
            _check(path, stream, limits)
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
            yield opened, stream
    except (av.error.FFmpegError, EOFError, ValueError) as error:
        raise damaged from error


def _check(path: Path, stream: VideoStream, limits: Limits) -> None:
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
    if codec not in CODECS:
        raise UndecodableError(path, f"is in the codec {codec}, which is not taken", f"Convert it to one of: {', '.join(sorted(CODECS))}.")
    if stream.width * stream.height > limits.max_pixels:
        over = f"has {stream.width}x{stream.height} frames, more than {limits.max_pixels:,} pixels"
        raise OverLimitError(path, over, "Scale it down, or raise limits.max_pixels.")


def _walk(opened: InputContainer, stream: VideoStream) -> tuple[VideoFrame | None, list[int]]:
    first: VideoFrame | None = None
    ticks = []
    for packet in opened.demux(stream):
        if first is None:
            first = next(iter(stream.decode(packet)), None)
        tick = packet.dts if packet.pts is None else packet.pts
        if tick is not None and not packet.is_discard:
            ticks.append(tick)
    return first, sorted(ticks)
