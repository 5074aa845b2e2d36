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
from realframe.media.container_extent import measure_extent
from realframe.media.encoding_facts import video_metadata_names
from realframe.media.limits import check_damage, check_pixels, contain_failures, is_machine_error
from realframe.media.signature import DEMUXERS
from realframe.media.still_image import HDR_TRANSFERS

# Hostile files attack decoders, so only the codecs that cameras, editors and generators in use write are allowed.
ALLOWED_CODECS = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "gif", "prores", "mpeg2video", "ffv1", "png", "rawvideo", "theora"}
)
_MIN_STRETCH = 0.01  # a smaller difference between the stored and the shown shape comes from rounding, and nobody sees it
_STATING_FRAMES = ("mp4", "mov")  # containers whose index counts the frames
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(sorted(set(DEMUXERS.values())))}


@dataclass(frozen=True)
class VideoStreamInfo:
    """The facts of a video stream, from its packets.

    Attributes:
        index: of the stream in the file.
        codec: FFmpeg's name of the codec.
        width: as a player shows it: upright, with square pixels.
        height: as a player shows it.
        is_anamorphic: the stored pixels are not square, so that frames are scaled to ``width`` x ``height``.
        is_interlaced: the first frame is marked as two half pictures of different times.
        hdr: transfer of high dynamic range, ``PQ`` or ``HLG``; empty for ordinary colors.
        track_count: video tracks of the file, of which this is the one that players show.
        extra_bytes: behind the end of the file's structure.
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
    is_anamorphic: bool
    is_interlaced: bool
    hdr: str
    track_count: int
    extra_bytes: int
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
    extent = measure_extent(path, container)
    with _open_video(path, container, limits, is_cut_short=extent.missing_share > 0) as (opened, stream):
        first, pts, packet_count, leading_count = _read_packets(opened, stream)
        if first is None or not pts:
            raise UndecodableError(path, "has no frame that can be decoded", "Check that it plays; export it again.")
        rotation = round(-first.rotation / 90) * 90 % 360  # FFmpeg counts counter-clockwise
        width, height = _shown_size(first, stream, container)
        check_pixels(path, width, height, limits.max_pixels)
        is_anamorphic = (width, height) != (first.width, first.height)
        width, height = (height, width) if rotation % 180 else (width, height)
        stated_count = max(packet_count, stream.frames if container in _STATING_FRAMES else 0)
        missing_share = max(extent.missing_share, 1 / stated_count if extent.missing_share else 0, 1 - packet_count / stated_count)
        check_damage(missing_share, "frames", path)
        return VideoStreamInfo(
            index=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            width=width,
            height=height,
            is_anamorphic=is_anamorphic,
            is_interlaced=first.interlaced_frame,
            hdr=HDR_TRANSFERS.get(int(first.color_trc), ""),
            track_count=len(_find_tracks(opened)),
            extra_bytes=extent.extra_bytes,
            rotation=rotation,
            pts=tuple(pts),
            time_base=Fraction(stream.time_base or 1),
            packet_count=stated_count,
            leading_count=leading_count,
            missing_share=missing_share,
            metadata=video_metadata_names(opened, stream),
        )


@contextmanager
def _open_video(path: Path, container: str, limits: Limits, *, is_cut_short: bool) -> Iterator[tuple[InputContainer, VideoStream]]:
    damaged = UndecodableError(path, "is damaged: its structure cannot be read", "Check that it plays; copy or export it again.")
    with contain_failures(path):
        try:
            with av.open(f"file:{path}", format=DEMUXERS[container], options=OPEN_OPTIONS) as opened:
                stream = next(iter(_find_tracks(opened)), None)
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


def _find_tracks(opened: InputContainer) -> list[VideoStream]:
    """Return the video tracks of a file, the one that players show first: that marked as default, else the largest, else the first."""
    tracks = [stream for stream in opened.streams.video if not stream.disposition & Disposition.attached_pic]
    return sorted(tracks, key=lambda track: (not track.disposition & Disposition.default, -track.width * track.height))


def _shown_size(first: VideoFrame, stream: VideoStream, container: str) -> tuple[int, int]:
    """Return the width and height at which a player shows the stored frames, with square pixels, before rotation.

    The smaller side of a pixel is enlarged, so that no detail is lost. Browsers and viewers ignore the shape that a GIF states.
    """
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if container == "gif" or aspect <= 0 or abs(aspect - 1) < _MIN_STRETCH:
        return first.width, first.height
    if aspect > 1:
        return round(first.width * aspect), first.height
    return first.width, round(first.height / aspect)


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
