"""Read the video stream of a file packet by packet: its facts and the time of each frame. Only one frame is decoded."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from realframe.config import Limits
from realframe.errors import NoVideoStreamError, UndecodableError
from realframe.media.encoding_facts import video_metadata_names
from realframe.media.limits import check_damage, check_pixels, contain_failures, is_machine_error, measure_missing_share
from realframe.media.signature import DEMUXERS

# Hostile files attack decoders, so only the codecs that cameras, editors and generators in use write are allowed.
ALLOWED_CODECS = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "gif", "prores", "mpeg2video", "ffv1", "png", "rawvideo"}
)
_STATING_FRAMES = ("mp4", "mov")  # containers whose index counts the frames
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(sorted(set(DEMUXERS.values())))}


@dataclass(frozen=True)
class VideoStreamInfo:
    """The facts of a video stream, from its packets.

    Attributes:
        index: of the stream in the file.
        codec: FFmpeg's name of the codec.
        width: upright, in pixels.
        height: upright, in pixels.
        rotation: degrees clockwise by which the stored picture is rotated to be upright: 0, 90, 180 or 270.
        pts: presentation time of each frame, in units of ``time_base``, rising; without frames that an edit list cuts away.
        time_base: seconds per tick.
        packet_count: number of packets that hold a frame, also of those that an edit list cuts away, as far as the file states it.
        leading_count: number of the packets before the first key frame, which no decoder shows: a recording that was cut mid-sequence.
        missing_share: share of the frames that the file lacks at its end.
        metadata: names of the tags and other streams of the file, from ``encoding_facts.video_metadata_names``.
    """

    index: int
    codec: str
    width: int
    height: int
    rotation: int
    pts: tuple[int, ...]
    time_base: Fraction
    packet_count: int
    leading_count: int
    missing_share: float
    metadata: str

    @property
    def times_s(self) -> list[Fraction]:
        """The time of each frame, seconds since the first frame, exact."""
        return [(pts - self.pts[0]) * self.time_base for pts in self.pts]

    def with_pts(self, pts: tuple[int, ...]) -> "VideoStreamInfo":
        """Return the same stream with other presentation times."""
        return replace(self, pts=pts)


def read_video_stream(path: Path, container: str, limits: Limits) -> VideoStreamInfo:
    """Read the video stream of a file in ``container`` (a key of ``signature.DEMUXERS``).

    Raises:
        NoVideoStreamError: the file has no video stream, or only a cover picture.
        UndecodableError: the file is cut short or damaged, or in a codec that is not among ``ALLOWED_CODECS``.
        LimitExceededError: its frames are larger than ``limits`` allows.
        DecoderCrashError: a library fails at it in another way.
    """
    missing_share = measure_missing_share(path, container)
    with _open_video(path, container, limits, is_cut_short=missing_share > 0) as (opened, stream):
        first, pts, packet_count, leading_count = _read_packets(opened, stream)
        if first is None or not pts:
            raise UndecodableError(path, "has no frame that can be decoded", "Check that it plays; export it again.")
        rotation = round(-first.rotation / 90) * 90 % 360  # FFmpeg counts counter-clockwise
        width, height = (first.height, first.width) if rotation % 180 else (first.width, first.height)
        codec = stream.codec_context.codec.canonical_name
        stated_count = max(packet_count, stream.frames if container in _STATING_FRAMES else 0)
        missing_share = max(missing_share, 1 / stated_count if missing_share else 0, 1 - packet_count / stated_count)
        check_damage(missing_share, "frames", path)
        metadata = video_metadata_names(opened, stream)
        time_base = Fraction(stream.time_base or 1)
        return VideoStreamInfo(
            stream.index,
            codec,
            width,
            height,
            rotation,
            tuple(pts),
            time_base,
            stated_count,
            leading_count,
            missing_share,
            metadata,
        )


@contextmanager
def _open_video(path: Path, container: str, limits: Limits, *, is_cut_short: bool) -> Iterator[tuple[InputContainer, VideoStream]]:
    damaged = UndecodableError(path, "is damaged: its structure cannot be read", "Check that it plays; copy or export it again.")
    with contain_failures(path):
        try:
            with av.open(f"file:{path}", format=DEMUXERS[container], options=OPEN_OPTIONS) as opened:
                stream = next((s for s in opened.streams.video if not s.disposition & Disposition.attached_pic), None)
                if stream is None and is_cut_short:
                    raise damaged
                if stream is None:
                    raise NoVideoStreamError(path, "has no video stream, only sound or data", "Use the video itself.")
                _check_stream(path, stream, limits.max_pixels)
                stream.codec_context.thread_count = 1
                stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
                yield opened, stream
        except (av.error.FFmpegError, EOFError, ValueError) as error:
            if is_machine_error(error):
                raise
            raise damaged from error


def _check_stream(path: Path, stream: VideoStream, max_pixels: int) -> None:
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
    if codec not in ALLOWED_CODECS:
        raise UndecodableError(
            path, f"has the codec {codec}, which is not allowed", f"Convert it to one of: {', '.join(sorted(ALLOWED_CODECS))}."
        )
    check_pixels(path, stream.width, stream.height, max_pixels)


def _read_packets(opened: InputContainer, stream: VideoStream) -> tuple[VideoFrame | None, list[int], int, int]:
    """Return the first decodable frame, the presentation time of each frame, and the number of all packets and of those before a key."""
    first: VideoFrame | None = None
    all_pts, packet_count, leading_count, has_key = [], 0, 0, False
    for packet in opened.demux(stream):
        if first is None:
            with suppress(av.error.InvalidDataError):  # the frame is damaged; a later one may be whole
                first = next(iter(stream.decode(packet)), None)
        has_key = has_key or packet.is_keyframe
        packet_count += packet.size > 0
        leading_count += not has_key
        pts = packet.dts if packet.pts is None else packet.pts
        if pts is not None and not packet.is_discard:
            all_pts.append(pts)
    return first, sorted(all_pts), packet_count, leading_count
