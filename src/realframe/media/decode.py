"""Decode a video with FFmpeg: all frames in order, of which the requested ones are passed on, each with its presentation time.

Frames are passed on as a player shows them: upright, interlaced ones deinterlaced, with square pixels, and high dynamic range converted to
ordinary colors. A filter for this is part of the command only where the file needs it, so that ordinary frames stay as they are.
"""

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any

import ffmpeg

from realframe.config import Limits
from realframe.errors import UndecodableError
from realframe.media.ffmpeg import ffmpeg_executable, run_ffmpeg
from realframe.media.signature import DEMUXERS
from realframe.media.video_stream import OPEN_OPTIONS, VideoStreamInfo

# zlib level 1 takes a third of the time of level 6 for a fifth more bytes, and these files live only as long as a stage.
_PNG: dict[str, Any] = {"f": "image2pipe", "vcodec": "png", "compression_level": 1, "pred": "mixed", "threads": 1}
_SCALER = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"  # the same pixels on every processor
_PTS_LINE = re.compile(r"^\[Parsed_showinfo\S* @ \S+\] \[info\] n: *\d+ pts: *(-?\d+) ", re.MULTILINE)
_INTERLACED_LINE = re.compile(r"^\[Parsed_showinfo\S* @ \S+\] \[info\] n: *\d+ pts: .* i:[TB] ", re.MULTILINE)
_DEINTERLACE: dict[str, Any] = {"mode": "send_frame", "deint": "interlaced"}  # frames that are not marked pass unchanged
_TURNS: dict[int, list[tuple[str, ...]]] = {90: [("transpose", "clock")], 180: [("hflip",), ("vflip",)], 270: [("transpose", "cclock")]}
# Reference white of HDR is 203 cd/m2 (ITU-R BT.2408). Ordinary colors stay nearly as they are, and brighter ones, to 10 times white, are
# compressed into what is left.
_TO_LINEAR: dict[str, Any] = {"t": "linear", "npl": 203, "p": "bt709"}
_TONE_MAP: dict[str, Any] = {"tonemap": "mobius", "param": 0.8, "peak": 10, "desat": 0}
_TO_SRGB: dict[str, Any] = {"t": "iec61966-2-1", "m": "gbr", "r": "pc"}
_DECODED_LINE = re.compile(r"(\d+) frames decoded")


@dataclass(frozen=True)
class DecodedFrames:
    """What a decoder returned.

    Attributes:
        pts: presentation time of each requested frame, in the stream's time base.
        decoded_count: number of all frames that the decoder returned.
        is_interlaced: one of the requested frames is interlaced, and was passed on so.
        log: of FFmpeg.
    """

    pts: tuple[int, ...]
    decoded_count: int
    is_interlaced: bool
    log: str


def decode_frames(
    source: Path, container: str, stream: VideoStreamInfo, indices: Sequence[int], limits: Limits, on_frame: Callable[[int, bytes], None]
) -> DecodedFrames:
    """Decode a video once and pass on the frames at ``indices``, each as soon as it is decoded.

    Args:
        source: the video.
        container: a key of ``signature.DEMUXERS``.
        stream: its video stream.
        indices: indices of the requested frames among the decoded ones.
        limits: what the decoder may cost.
        on_frame: called with the position in ``indices`` and the frame: an upright, lossless PNG, RGB, or RGBA if the video has
            transparency.

    Raises:
        UndecodableError: the decoder fails.
        LimitExceededError: the decoder needs more than ``limits`` allows.
    """
    pictures = open_pictures(source, container, stream, limits).filter("select", _select_expression(indices)).filter("showinfo", checksum=0)
    size: dict[str, int] = {"w": stream.width, "h": stream.height} if stream.is_anamorphic else {}
    converted = convert_colors(pictures, stream, source).filter("scale", **size, flags=_SCALER).filter("format", "rgb24|rgba")
    piped = converted.output("pipe:1", fps_mode="passthrough", bitexact=None, **_PNG)
    log = run_ffmpeg(piped, limits, source, partial(_pass_frames, on_frame=on_frame))
    decoded_count = sum(int(count) for count in _DECODED_LINE.findall(log))
    return DecodedFrames(_parse_pts(log), decoded_count, _INTERLACED_LINE.search(log) is not None, log)


def decode_pts(source: Path, container: str, stream: int, limits: Limits) -> tuple[int, ...]:
    """Decode a video once and return the presentation time of each decoded frame. Raises as ``decode_frames``."""
    with_pts = video_input(source, container, stream, limits).filter("showinfo", checksum=0)
    return _parse_pts(run_ffmpeg(with_pts.output("-", f="null", fps_mode="passthrough"), limits, source))


def open_pictures(source: Path, container: str, stream: VideoStreamInfo, limits: Limits) -> Any:
    """Return the frames of a video upright, deinterlaced where it is interlaced, as a node of ffmpeg-python."""
    if not stream.is_interlaced:
        return video_input(source, container, stream.index, limits)
    # the lines of a frame belong to two times, so it must be deinterlaced before it is turned
    pictures = video_input(source, container, stream.index, limits, noautorotate=None).filter("bwdif", **_DEINTERLACE)
    pictures = pictures.filter("settb", f"{stream.time_base.numerator}/{stream.time_base.denominator}")  # bwdif halves it
    for turn in _TURNS.get(stream.rotation, []):
        pictures = pictures.filter(*turn)
    return pictures


def convert_colors(pictures: Any, stream: VideoStreamInfo, subject: object) -> Any:
    """Add the conversion of high dynamic range to sRGB (ITU-R BT.2408, tone mapping after Moebius); ordinary colors are left alone.

    Raises:
        UndecodableError: the video is HDR, and this FFmpeg cannot convert it.
    """
    if not stream.hdr:
        return pictures
    if not _has_filters(ffmpeg_executable(), ("zscale", "tonemap")):
        reason = f"is a video of high dynamic range ({stream.hdr}), and FFmpeg on this machine lacks zscale to convert it"
        raise UndecodableError(subject, reason, "Install an FFmpeg with zscale (libzimg), or export the video without HDR.")
    linear = pictures.filter("zscale", **_TO_LINEAR).filter("format", "gbrpf32le").filter("tonemap", **_TONE_MAP)
    return linear.filter("zscale", **_TO_SRGB).filter("format", "gbrp")


@lru_cache(maxsize=1)
def _has_filters(executable: str, names: tuple[str, ...]) -> bool:
    listed = subprocess.run([executable, "-hide_banner", "-filters"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    return set(names) <= set(listed.split())


def video_input(source: Path, container: str, stream: int, limits: Limits, **options: Any) -> Any:
    """Return the video stream of a file as an ffmpeg-python input: one demuxer, no other file, one thread."""
    # without reinit_filter=0, a change of the picture size would start a new filter graph, which counts frames from 0 again
    strict = {"copyts": None, "reinit_filter": 0, "threads": 1, "max_pixels": limits.max_pixels}
    return ffmpeg.input(f"file:{source}", f=DEMUXERS[container], **OPEN_OPTIONS, **strict, **options)[str(stream)]


def _select_expression(indices: Sequence[int]) -> str:
    """Return FFmpeg's expression for "n is one of these", nested by halves, since a flat sum may have at most 100 terms."""
    if len(indices) == 1:
        return f"eq(n,{indices[0]})"
    middle = len(indices) // 2
    return f"({_select_expression(indices[:middle])}+{_select_expression(indices[middle:])})"


def _parse_pts(log: str) -> tuple[int, ...]:
    return tuple(int(pts) for pts in _PTS_LINE.findall(log))


def _pass_frames(pipe: IO[bytes], on_frame: Callable[[int, bytes], None]) -> None:
    for position, png in enumerate(_iter_pngs(pipe)):
        on_frame(position, png)


def _iter_pngs(pipe: IO[bytes]) -> Iterator[bytes]:
    """Yield each complete PNG in ``pipe``: a signature of 8 bytes, then chunks up to ``IEND`` (ISO/IEC 15948)."""
    while signature := pipe.read(8):
        parts, kind = [signature], b""
        while kind != b"IEND":
            head = pipe.read(8)
            length, kind = int.from_bytes(head[:4], "big") + 4, head[4:]  # and the checksum
            parts += [head, pipe.read(length)]
            if len(head) < 8 or len(parts[-1]) < length:
                return  # the decoder stopped; its log has the reason
        yield b"".join(parts)
