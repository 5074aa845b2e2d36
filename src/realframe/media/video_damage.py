"""Measure which share of the frames of a video is damaged or missing.

A decoder hides damage: it fills what is missing with parts of other frames and goes on. FFmpeg's log says so, and names the frames.
A damaged frame also damages those that are predicted from it: all frames up to the next one that is coded by itself. A frame from which no
other is predicted, such as most B-frames, damages itself alone.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from realframe.config import Limits
from realframe.media.decode import video_input
from realframe.media.ffmpeg import run_ffmpeg
from realframe.media.limits import check_damage, contain_failures
from realframe.media.signature import DEMUXERS
from realframe.media.video_stream import ALLOWED_CODECS, OPEN_OPTIONS, VideoStreamInfo

_FRAME_LINE = re.compile(r"decoder -> .*?pts:(-?\d+|NOPTS) .* keyframe:(\d) frame_type:(\d)")
_B_FRAME = "3"
# Complaints about other streams, such as the sound, do not count. MJPEG and GIF complain, but do not mark the frame as corrupt.
_DECODERS = "|".join(sorted({*ALLOWED_CODECS, "libdav1d", "libaom-av1", "libvpx-vp8", "libvpx-vp9", r"vist#\S+"}))
_DEMUXERS = r"in#\S+|mov,\S+|matroska\S*|avi|gif|ogg"
_DAMAGE_LINE = re.compile(
    rf"\[(?:(?P<decoder>{_DECODERS})|{_DEMUXERS}) @ [^\]]*\] (?:\[[^\]]*\] )*?(?:\[(?:error|fatal|panic)\]|\[warning\].*corrupt)"
)
_MAX_DELAY = 16  # frames by which a decoder may return a frame later than it reads it
_UNREFERENCED_B = ("mpeg4", "mpeg2video")  # codecs in which no frame is predicted from a B-frame
# (offset of the byte with the length of a NAL unit's size in the codec's header, first and last type of a coded slice)
_NAL_CODECS = {"h264": (4, 1, 5), "hevc": (21, 0, 31)}


def log_shows_damage(log: str) -> bool:
    """Return whether the demuxer or the video decoder complains in a log of FFmpeg."""
    return any(map(_DAMAGE_LINE.match, log.splitlines()))


def measure_total_damage(source: Path, container: str, stream: VideoStreamInfo, limits: Limits, log: str) -> float | None:
    """Return which share of the frames of a video is damaged or missing; None where no damage is found.

    Args:
        source: the video.
        container: a key of ``signature.DEMUXERS``.
        stream: its video stream.
        limits: what the decoder may cost.
        log: of FFmpeg, when it decoded the video; if it complains, the video is decoded once more to find the damaged frames.

    Raises:
        UndecodableError: ``MAX_DAMAGED_SHARE`` of the frames or more is damaged or missing, or an unknown share.
        LimitExceededError: the decoder needs more than ``limits`` allows.
    """
    share = stream.missing_share
    if log_shows_damage(log):
        share = max(share, _measure_decoder_damage(source, container, stream, limits))
    check_damage(share, "frames", source)
    return share or None


@dataclass(frozen=True)
class _Frame:
    pts: int | None
    is_key: bool
    is_b: bool


@dataclass(frozen=True)
class _Complaint:
    """A complaint of the decoder after it returned ``start`` frames; ``is_exact`` if it concerns the next one, else one of the next 16."""

    start: int
    is_exact: bool


def _measure_decoder_damage(source: Path, container: str, stream: VideoStreamInfo, limits: Limits) -> float:
    """Decode a video and return which share of its frames is damaged or lost; 1 where it is unknown."""
    output = video_input(source, container, stream.index, limits).output("-", f="null", fps_mode="passthrough")
    log = run_ffmpeg(output.global_args("-debug_ts"), limits, source)
    _, _, decoding = log.partition("Stream mapping:")  # before it, FFmpeg decodes the first frames to learn what the file holds
    frames: list[_Frame] = []
    complaints: list[_Complaint] = []
    for line in decoding.splitlines():
        if frame := _FRAME_LINE.search(line):
            frames.append(_Frame(None if frame[1] == "NOPTS" else int(frame[1]), frame[2] == "1", frame[3] == _B_FRAME))
        elif complaint := _DAMAGE_LINE.match(line):
            if not complaint["decoder"] and stream.missing_share:
                continue  # about the end, which is known to be missing
            if not complaint["decoder"]:
                return 1.0  # the demuxer lost its place
            complaints.append(_Complaint(len(frames), "corrupt decoded frame" in line))
    frame_count = max(stream.packet_count - stream.leading_count, len(frames), 1)
    lost_count = frame_count - len(frames)
    damaged_count = _count_unreferenced(source, container, stream, frames, complaints)
    if damaged_count is None:
        damaged_count = _count_with_followers(frames, complaints, skips_first=stream.leading_count > 0)
    return (damaged_count + lost_count) / frame_count


def _count_with_followers(frames: list[_Frame], complaints: list[_Complaint], *, skips_first: bool) -> int:
    """Return how many frames are damaged, with all that follow a damaged one up to the next key frame.

    Args:
        frames: that the decoder returned.
        complaints: of the decoder.
        skips_first: complaints before the first frame are about frames that no decoder shows.
    """
    keys = [index for index, frame in enumerate(frames) if frame.is_key]
    is_intra = len(keys) == len(frames)
    damaged_count, counted_to = 0, 0
    for complaint in complaints:
        if complaint.start == 0 and skips_first:
            continue
        following = bisect_right(keys, complaint.start if complaint.is_exact or is_intra else complaint.start + _MAX_DELAY)
        end = keys[following] if following < len(keys) else len(frames)
        damaged_count += max(0, end - max(complaint.start, counted_to))
        counted_to = max(counted_to, end)
    return damaged_count


def _count_unreferenced(
    source: Path, container: str, stream: VideoStreamInfo, frames: list[_Frame], complaints: list[_Complaint]
) -> int | None:
    """Return how many returned frames are damaged, if every complaint is about a frame from which no other is predicted; else None."""
    returned = [frame.pts for frame in frames if frame.pts is not None]
    if len(returned) < len(frames) or returned != sorted(set(returned)):
        return None
    corrupt = {complaint.start for complaint in complaints if complaint.is_exact and complaint.start < len(frames)}
    lost = sorted(set(stream.pts) - set(returned))
    places = sorted([*corrupt, *(bisect_left(returned, pts) for pts in lost)])
    for complaint in complaints:
        nearest = bisect_left(places, complaint.start - 1)  # the decoder reports the loss of a frame up to one frame later
        if nearest == len(places) or places[nearest] > complaint.start + _MAX_DELAY:
            return None
    affected = {returned[index] for index in corrupt} | set(lost)
    if stream.codec in _UNREFERENCED_B:
        unreferenced = {frame.pts for frame in frames if frame.is_b}
    else:
        unreferenced = set(_iter_unreferenced(source, container, stream))
    return len(corrupt) if affected <= unreferenced else None


def _iter_unreferenced(source: Path, container: str, stream: VideoStreamInfo) -> Iterator[int]:
    """Yield the presentation time of each frame of an H.264 or HEVC video from which no other frame is predicted."""
    if stream.codec not in _NAL_CODECS:
        return
    size_offset, first_slice, last_slice = _NAL_CODECS[stream.codec]
    found: list[tuple[int, bool, int]] = []  # time, whether it is marked as not for prediction, temporal layer
    with contain_failures(source), av.open(f"file:{source}", format=DEMUXERS[container], options=OPEN_OPTIONS) as opened:
        track = opened.streams[stream.index]
        header = bytes(track.codec_context.extradata or b"")
        if len(header) <= size_offset or header[0] != 1:
            return  # without the sizes of its NAL units
        size_bytes = (header[size_offset] & 3) + 1
        for packet in opened.demux(track):
            marks = [
                (not data[0] & 0x60, 0) if stream.codec == "h264" else (not kind & 1 and kind < 16, data[1] & 7)
                for data in _iter_nal_heads(bytes(packet), size_bytes)
                if first_slice <= (kind := data[0] & 31 if stream.codec == "h264" else data[0] >> 1 & 63) <= last_slice
            ]
            if packet.pts is not None and marks:
                found.append((packet.pts, all(mark for mark, _ in marks), max(layer for _, layer in marks)))
    top_layer = max((layer for _, _, layer in found), default=0)
    yield from (pts for pts, is_unreferenced, layer in found if is_unreferenced and layer == top_layer)


def _iter_nal_heads(packet: bytes, size_bytes: int) -> Iterator[bytes]:
    """Yield the first two bytes of each NAL unit in a packet."""
    position = 0
    while position + size_bytes + 2 <= len(packet):
        yield packet[position + size_bytes : position + size_bytes + 2]
        position += size_bytes + int.from_bytes(packet[position : position + size_bytes])
