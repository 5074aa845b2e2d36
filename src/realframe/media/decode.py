"""Decode a video with FFmpeg: all frames in order, of which the requested ones are passed on, each with its presentation time.

A decoder hides damage: it fills what is missing with parts of other frames and goes on. Its log says so, and which frames are concerned.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import ffmpeg

from realframe.config import Limits
from realframe.media.ffmpeg import run_ffmpeg
from realframe.media.limits import check_damage
from realframe.media.signature import DEMUXERS
from realframe.media.video_stream import ALLOWED_CODECS, OPEN_OPTIONS, VideoStreamInfo

# zlib level 1 takes a third of the time of level 6 for a fifth more bytes, and these files live only as long as a stage.
_PNG: dict[str, Any] = {"f": "image2pipe", "vcodec": "png", "compression_level": 1, "pred": "mixed", "threads": 1}
_SCALER = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"  # the same pixels on every processor
_PTS_LINE = re.compile(r"^\[Parsed_showinfo\S* @ \S+\] \[info\] n: *\d+ pts: *(-?\d+) ", re.MULTILINE)
_FRAME_LINE = re.compile(r"decoder -> .* keyframe:(\d)")
# Complaints about other streams, such as the sound, do not count. MJPEG and GIF complain, but do not mark the frame as corrupt.
_DECODERS = "|".join(sorted({*ALLOWED_CODECS, "libdav1d", "libaom-av1", "libvpx-vp8", "libvpx-vp9", r"vist#\S+"}))
_DEMUXERS = r"in#\S+|mov,\S+|matroska\S*|avi|gif"
_DAMAGE_LINE = re.compile(
    rf"\[(?:(?P<decoder>{_DECODERS})|{_DEMUXERS}) @ [^\]]*\] (?:\[[^\]]*\] )*?(?:\[(?:error|fatal|panic)\]|\[warning\].*corrupt)"
)
_MAX_DELAY = 16  # frames by which a decoder may return a frame later than it reads it
_DECODED_LINE = re.compile(r"(\d+) frames decoded")


@dataclass(frozen=True)
class DecodedFrames:
    """What a decoder returned.

    Attributes:
        pts: presentation time of each requested frame, in the stream's time base.
        decoded_count: number of all frames that the decoder returned.
        has_damage: FFmpeg complains about the file.
    """

    pts: tuple[int, ...]
    decoded_count: int
    has_damage: bool


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
    return DecodedFrames(_parse_pts(log), sum(int(count) for count in _DECODED_LINE.findall(log)), log_shows_damage(log))


def decode_pts(source: Path, container: str, stream: int, limits: Limits) -> tuple[int, ...]:
    """Decode a video once and return the presentation time of each decoded frame. Raises as ``decode_frames``."""
    with_pts = video_input(source, container, stream, limits).filter("showinfo", checksum=0)
    return _parse_pts(run_ffmpeg(with_pts.output("-", f="null", fps_mode="passthrough"), limits, source))


def video_input(source: Path, container: str, stream: int, limits: Limits) -> Any:
    """Return the video stream of a file as an ffmpeg-python input: one demuxer, no other file, one thread."""
    # without reinit_filter=0, a change of the picture size would start a new filter graph, which counts frames from 0 again
    strict = {"copyts": None, "reinit_filter": 0, "threads": 1, "max_pixels": limits.max_pixels}
    return ffmpeg.input(f"file:{source}", f=DEMUXERS[container], **OPEN_OPTIONS, **strict)[str(stream)]


def log_shows_damage(log: str) -> bool:
    """Return whether the demuxer or the video decoder complains in a log of FFmpeg."""
    return any(map(_DAMAGE_LINE.match, log.splitlines()))


def measure_total_damage(source: Path, container: str, stream: VideoStreamInfo, limits: Limits, *, has_damage: bool) -> float | None:
    """Return which share of the frames of a video is damaged or missing; None where no damage is found.

    Args:
        source: the video.
        container: a key of ``signature.DEMUXERS``.
        stream: its video stream.
        limits: what the decoder may cost.
        has_damage: FFmpeg complained when it decoded the video; it is then decoded once more to find the damaged frames.

    Raises:
        UndecodableError: ``MAX_DAMAGED_SHARE`` of the frames or more is damaged or missing, or an unknown share.
        LimitExceededError: the decoder needs more than ``limits`` allows.
    """
    share = stream.missing_share
    if has_damage:
        share = max(share, _measure_decoder_damage(source, container, stream, limits))
    check_damage(share, "frames", source)
    return share or None


def _measure_decoder_damage(source: Path, container: str, stream: VideoStreamInfo, limits: Limits) -> float:
    """Decode a video and return which share of its frames is damaged or lost; 1 where it is unknown.

    A damaged frame also damages those that are predicted from it: all frames up to the next one that is coded by itself.
    """
    output = video_input(source, container, stream.index, limits).output("-", f="null", fps_mode="passthrough")
    log = run_ffmpeg(output.global_args("-debug_ts"), limits, source)
    _, _, decoding = log.partition("Stream mapping:")  # before it, FFmpeg decodes the first frames to learn what the file holds
    is_key: list[bool] = []
    complaints: list[tuple[int, bool]] = []  # the number of frames returned before it, and whether it concerns the next one
    for line in decoding.splitlines():
        if frame := _FRAME_LINE.search(line):
            is_key.append(frame[1] == "1")
        elif complaint := _DAMAGE_LINE.match(line):
            if not complaint["decoder"] and stream.missing_share:
                continue  # about the end, which is known to be missing
            if not complaint["decoder"]:
                return 1.0  # the demuxer lost its place
            complaints.append((len(is_key), "corrupt decoded frame" in line))
    keys = [index for index, key in enumerate(is_key) if key]
    is_intra = len(keys) == len(is_key)
    damaged_count, counted_to = 0, 0
    for start, is_exact in complaints:
        if start == 0 and stream.leading_count:
            continue  # about frames that no decoder shows
        following = bisect_right(keys, start if is_exact or is_intra else start + _MAX_DELAY)
        end = keys[following] if following < len(keys) else len(is_key)
        damaged_count += max(0, end - max(start, counted_to))
        counted_to = max(counted_to, end)
    frame_count = max(stream.packet_count - stream.leading_count, len(is_key), 1)
    return (damaged_count + frame_count - len(is_key)) / frame_count


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
