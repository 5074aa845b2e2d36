"""Decoding a video with FFmpeg: all its frames in order, of which the chosen ones are kept, each with its tick."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import ffmpeg

from realframe.config import Limits
from realframe.media.ffmpeg import run
from realframe.media.signature import DEMUXERS
from realframe.media.video_stream import OPEN_OPTIONS

# zlib level 1: a third of the time of level 6 for a fifth more bytes, of files that live as long as a stage.
_PNG: dict[str, Any] = {"f": "image2pipe", "vcodec": "png", "compression_level": 1, "pred": "mixed", "threads": 1}
_SCALER = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"  # the same pixels on every processor
_SHOWN = re.compile(r"^\[Parsed_showinfo\S* @ \S+\] n: *\d+ pts: *(-?\d+) ", re.MULTILINE)
_DECODED = re.compile(r"(\d+) frames decoded")


@dataclass(frozen=True)
class DecodedFrames:
    """What a decoder showed.

    Attributes:
        ticks: when each of the chosen frames is shown, in the stream's time base.
        decoded: how many frames the decoder gave in all.
    """

    ticks: tuple[int, ...]
    decoded: int


def decode_frames(
    source: Path, container: str, stream: int, chosen: Sequence[int], limits: Limits, take: Callable[[int, bytes], None]
) -> DecodedFrames:
    """Decode a video once and hand over its ``chosen`` frames, each as soon as it is there.

    Args:
        source: the video.
        container: of ``signature.DEMUXERS``.
        stream: the index of its picture stream.
        chosen: indices among the decoded frames.
        limits: what the decoder may cost.
        take: is given a place among the chosen frames, and the frame: an upright, lossless PNG, RGB, or RGBA where the video has
            transparency.

    Raises:
        UndecodableError: the decoder met an error.
        OverLimitError: it takes more than ``limits`` allows.
    """
    kept = pictures_of(source, container, stream, limits).filter("select", _any_of(chosen)).filter("showinfo", checksum=0)
    upright = kept.filter("scale", flags=_SCALER).filter("format", "rgb24|rgba")
    piped = upright.output("pipe:1", fps_mode="passthrough", bitexact=None, **_PNG)
    log = run(piped, limits, source, partial(_hand_over, take=take))
    return DecodedFrames(_ticks(log), sum(int(count) for count in _DECODED.findall(log)))


def decode_ticks(source: Path, container: str, stream: int, limits: Limits) -> tuple[int, ...]:
    """Decode a video once and return the tick of each decoded frame. Raises as ``decode_frames``."""
    shown = pictures_of(source, container, stream, limits).filter("showinfo", checksum=0)
    return _ticks(run(shown.output("-", f="null", fps_mode="passthrough"), limits, source))


def _any_of(chosen: Sequence[int]) -> str:
    """Return FFmpeg's expression for "n is one of these", nested by halves: of a plain sum it takes 100 terms and no more."""
    if len(chosen) == 1:
        return f"eq(n,{chosen[0]})"
    middle = len(chosen) // 2
    return f"({_any_of(chosen[:middle])}+{_any_of(chosen[middle:])})"


def pictures_of(source: Path, container: str, stream: int, limits: Limits) -> Any:
    """Return the picture stream of a video as an input of ffmpeg-python: one demuxer, no other file, one thread, any error an end."""
    # reinit_filter: where the picture size changes midway, a new filter graph would count the frames from 0 again
    strict = {"xerror": None, "copyts": None, "reinit_filter": 0, "threads": 1, "max_pixels": limits.max_pixels}
    return ffmpeg.input(f"file:{source}", f=DEMUXERS[container], **OPEN_OPTIONS, **strict)[str(stream)]


def _ticks(log: str) -> tuple[int, ...]:
    return tuple(int(tick) for tick in _SHOWN.findall(log))


def _hand_over(pipe: IO[bytes], take: Callable[[int, bytes], None]) -> None:
    for place, picture in enumerate(_pngs(pipe)):
        take(place, picture)


def _pngs(pipe: IO[bytes]) -> Iterator[bytes]:
    """Yield each PNG that stands whole in ``pipe``: a signature of 8 bytes, then chunks up to ``IEND`` (ISO/IEC 15948)."""
    while signature := pipe.read(8):
        parts, kind = [signature], b""
        while kind != b"IEND":
            head = pipe.read(8)
            length, kind = int.from_bytes(head[:4], "big") + 4, head[4:]  # and the checksum
            parts += [head, pipe.read(length)]
            if len(head) < 8 or len(parts[-1]) < length:
                return  # the decoder broke off; its log says why
        yield b"".join(parts)
