"""Decoding a video with FFmpeg: all its frames in order, of which the chosen ones are kept, each with its tick."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from bonafide.media.ffmpeg import run
from bonafide.media.signature import DEMUXERS
from bonafide.media.stream import OPEN_OPTIONS
from bonafide.params import Limits

# zlib level 1: a third of the time of level 6 for a fifth more bytes, of files that live as long as a stage.
_PNG: dict[str, Any] = {"f": "image2", "vcodec": "png", "compression_level": 1, "pred": "mixed", "start_number": 0, "threads": 1}
_SCALER = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"  # the same pixels on every processor
_SHOWN = re.compile(r"^\[Parsed_showinfo\S* @ \S+\] n: *\d+ pts: *(-?\d+) ", re.MULTILINE)
_DECODED = re.compile(r"(\d+) frames decoded")


@dataclass(frozen=True)
class Pictures:
    """The frames that were kept.

    Attributes:
        files: one lossless PNG per kept frame, RGB, or RGBA where the video has transparency, upright.
        ticks: when each is shown, in the stream's time base.
        decoded: how many frames the decoder gave in all.
    """

    files: tuple[Path, ...]
    ticks: tuple[int, ...]
    decoded: int


def decode_frames(source: Path, container: str, stream: int, chosen: Sequence[int], limits: Limits, folder: Path) -> Pictures:
    """Decode a video once and write its ``chosen`` frames into ``folder``.

    Args:
        source: the video.
        container: of ``signature.DEMUXERS``.
        stream: the index of its picture stream.
        chosen: indices among the decoded frames.
        limits: what the decoder may cost.
        folder: where the pictures go; older ones in it are replaced.

    Raises:
        UndecodableError: the decoder met an error.
        OverLimitError: it takes more than ``limits`` allows.
    """
    for old in folder.iterdir():
        old.unlink()
    kept = pictures_of(source, container, stream, limits).filter("select", _any_of(chosen)).filter("showinfo", checksum=0)
    upright = kept.filter("scale", flags=_SCALER).filter("format", "rgb24|rgba")
    log = run(upright.output(str(folder / "%05d.png"), fps_mode="passthrough", bitexact=None, **_PNG), limits, source)
    return Pictures(tuple(sorted(folder.iterdir())), _ticks(log), sum(int(count) for count in _DECODED.findall(log)))


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
