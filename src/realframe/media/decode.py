"""Decode a video with FFmpeg: all frames in order, of which the requested ones are passed on, each with its presentation time."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import ffmpeg

from realframe.config import Limits
from realframe.media.ffmpeg import run_ffmpeg
from realframe.media.signature import DEMUXERS
from realframe.media.video_stream import OPEN_OPTIONS

# zlib level 1 takes a third of the time of level 6 for a fifth more bytes, and these files live only as long as a stage.
_PNG: dict[str, Any] = {"f": "image2pipe", "vcodec": "png", "compression_level": 1, "pred": "mixed", "threads": 1}
_SCALER = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"  # the same pixels on every processor
_PTS_LINE = re.compile(r"^\[Parsed_showinfo\S* @ \S+\] n: *\d+ pts: *(-?\d+) ", re.MULTILINE)
_DECODED_LINE = re.compile(r"(\d+) frames decoded")


@dataclass(frozen=True)
class DecodedFrames:
    """What a decoder returned.

    Attributes:
        pts: presentation time of each requested frame, in the stream's time base.
        decoded_count: number of all frames that the decoder returned.
    """

    pts: tuple[int, ...]
    decoded_count: int


def decode_frames(
    source: Path, container: str, stream: int, indices: Sequence[int], limits: Limits, on_frame: Callable[[int, bytes], None]
) -> DecodedFrames:
    """Decode a video once and pass on the frames at ``indices``, each as soon as it is decoded.

    Args:
        source: the video.
        container: a key of ``signature.DEMUXERS``.
        stream: index of its video stream.
        indices: indices of the requested frames among the decoded ones.
        limits: what the decoder may cost.
        on_frame: called with the position in ``indices`` and the frame: an upright, lossless PNG, RGB, or RGBA if the video has
            transparency.

    Raises:
        UndecodableError: the decoder fails.
        LimitExceededError: the decoder needs more than ``limits`` allows.
    """
    selected = video_input(source, container, stream, limits).filter("select", _select_expression(indices)).filter("showinfo", checksum=0)
    upright = selected.filter("scale", flags=_SCALER).filter("format", "rgb24|rgba")
    piped = upright.output("pipe:1", fps_mode="passthrough", bitexact=None, **_PNG)
    log = run_ffmpeg(piped, limits, source, partial(_pass_frames, on_frame=on_frame))
    return DecodedFrames(_parse_pts(log), sum(int(count) for count in _DECODED_LINE.findall(log)))


def decode_pts(source: Path, container: str, stream: int, limits: Limits) -> tuple[int, ...]:
    """Decode a video once and return the presentation time of each decoded frame. Raises as ``decode_frames``."""
    with_pts = video_input(source, container, stream, limits).filter("showinfo", checksum=0)
    return _parse_pts(run_ffmpeg(with_pts.output("-", f="null", fps_mode="passthrough"), limits, source))


def video_input(source: Path, container: str, stream: int, limits: Limits) -> Any:
    """Return the video stream of a file as an ffmpeg-python input: one demuxer, no other file, one thread, ending at the first error."""
    # without reinit_filter=0, a change of the picture size would start a new filter graph, which counts frames from 0 again
    strict = {"xerror": None, "copyts": None, "reinit_filter": 0, "threads": 1, "max_pixels": limits.max_pixels}
    return ffmpeg.input(f"file:{source}", f=DEMUXERS[container], **OPEN_OPTIONS, **strict)[str(stream)]


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
