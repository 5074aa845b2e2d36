"""Harmonize media: give the files of both classes the same size, length and encoding, so that these facts cannot separate them.

Pictures are cropped to a square of native pixels and never scaled: scaling leaves traces, which would reveal the original size. Videos
are encoded by one FFmpeg process with one thread, so that equal input gives equal bytes.
"""

import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from realframe.config import HarmonizeParams, Limits
from realframe.errors import TooSmallError
from realframe.media.decode import convert_colors, open_pictures
from realframe.media.ffmpeg import run_ffmpeg
from realframe.media.image_damage import decode_image
from realframe.media.limits import contain_failures
from realframe.media.probe import MediaFacts
from realframe.media.square import convert_to_srgb
from realframe.media.still_image import flatten_image
from realframe.media.video_damage import measure_total_damage
from realframe.media.video_stream import read_video_stream

# pictures only: no sound, no subtitles, no data, no tags, no chapters, and no name of the program that wrote the file
_NO_METADATA: dict[str, Any] = {"an": None, "sn": None, "dn": None, "map_metadata": -1, "map_chapters": -1}
_BIT_EXACT: dict[str, Any] = {"fflags": "+bitexact", "flags:v": "+bitexact", "threads": 1}
_H264: dict[str, Any] = {"vcodec": "libx264", "preset": "veryfast", "f": "mp4"}
_LOSSLESS: dict[str, Any] = {"vcodec": "ffv1", "level": 3, "f": "matroska"}
_EVEN = "trunc({side}/2)*2"  # 4:2:0 has no odd sides
_SUFFIXES = {(True, "video"): "mp4", (True, "image"): "jpg", (False, "video"): "mkv", (False, "image"): "png"}


def harmonize_file(source: Path, facts: MediaFacts, params: HarmonizeParams, limits: Limits, target: Path) -> float | None:
    """Write the harmonized version of a file, upright and without metadata, to ``target``; equal input gives equal bytes.

    Args:
        source: the media file; not changed.
        facts: of the file, from ``probe_media``.
        params: harmonization that ``rewrites_files``.
        limits: what the file may cost.
        target: the new file.

    Returns:
        The share of the original's pixels or frames that are damaged, below ``MAX_DAMAGED_SHARE``; None where no damage is found.

    Raises:
        TooSmallError: the picture is smaller than ``harmonize.crop``, or the video shorter than ``harmonize.seconds``.
        UndecodableError: the file is cut short or damaged.
        LimitExceededError: it needs more than ``limits`` allows.
    """
    check_size(facts, params, source)
    if facts.kind == "video":
        return reencode_video(source, facts, params, limits, target)
    with decode_image(source, facts.container, limits.max_pixels, source) as decoded:
        upright = flatten_image(ImageOps.exif_transpose(decoded.image))
        picture = convert_to_srgb(_crop_square(upright, params.crop.image), decoded.image.info.get("icc_profile"))
    picture.info.clear()  # Pillow would copy a JPEG's comment into the new file
    data = BytesIO()
    with contain_failures(source):
        if params.reencode:
            picture.save(data, "JPEG", quality=params.jpeg_quality, subsampling=0)
        else:
            picture.save(data, "PNG")
    target.write_bytes(data.getvalue())
    return decoded.damaged_share


def check_size(facts: MediaFacts, params: HarmonizeParams, subject: object) -> None:
    """Raise TooSmallError if an item is smaller than the square, or shorter than the seconds, that harmonization cuts out of it."""
    side = params.crop.side_for(facts.kind)
    if min(facts.width, facts.height) < side:
        size = f"is {facts.width}x{facts.height}, and harmonization cuts out a square of {side} pixels"
        raise TooSmallError(subject, size, f"Use a larger picture, or lower harmonize.crop.{facts.kind} and train again.")
    if facts.kind == "video" and facts.duration_s < params.seconds:
        length = f"is {facts.duration_s:g} s long, and harmonization cuts out {params.seconds:g} s"
        raise TooSmallError(subject, length, "Use a longer video, or lower harmonize.seconds and train again.")


def harmonized_file_name(media_id: str, kind: str, params: HarmonizeParams) -> str:
    """Return the name of an item's harmonized file; without ``reencode`` its format is lossless."""
    return f"{media_id}.{_SUFFIXES[params.reencode, kind]}"


def frame_source(item: Mapping[str, Any], params: HarmonizeParams, raw: Path, harmonized: Path) -> Path:
    """Return the file to extract frames from, for a row of ``data/harmonized.parquet``: the harmonized file or the original."""
    return harmonized / harmonized_file_name(item["media_id"], item["kind"], params) if params.rewrites_files else raw / item["path"]


def reencode_video(source: Path, facts: MediaFacts, params: HarmonizeParams, limits: Limits, target: Path) -> float | None:
    """Write the pictures of a video, upright, cropped and encoded, to ``target``.

    Args:
        source: the video; not changed.
        facts: of the file, from ``probe_media``.
        params: with ``reencode`` the result is H.264 (``crf``, ``fps``, 4:2:0); otherwise it is FFV1, which is lossless.
        limits: what FFmpeg may cost.
        target: the new file, written in place.

    Returns:
        The share of its frames that are damaged or missing, below ``MAX_DAMAGED_SHARE``; None where no damage is found.

    Raises:
        UndecodableError: the video is damaged.
        LimitExceededError: it needs more than ``limits`` allows.
    """
    stream = read_video_stream(source, facts.container, limits)
    pictures = convert_colors(open_pictures(source, facts.container, stream, limits), stream, source)
    pictures = _apply_filters(pictures, facts, params)
    encoding = {**_H264, "crf": params.crf} if params.reencode else _LOSSLESS
    with tempfile.TemporaryDirectory() as folder:  # FFmpeg reads the format from the suffix, and the target's is temporary
        output = Path(folder) / "harmonized"
        options = {"fps_mode": "passthrough", **encoding, **_NO_METADATA, **_BIT_EXACT}
        log = run_ffmpeg(pictures.output(f"file:{output}", **options), limits, source)
        damaged_share = measure_total_damage(source, facts.container, stream, limits, log)
        target.write_bytes(output.read_bytes())
    return damaged_share


def _apply_filters(pictures: Any, facts: MediaFacts, params: HarmonizeParams) -> Any:
    """Apply the filters: start at 0 s, one size throughout, the square in the middle, the frame rate, the length, the pixel format."""
    filtered = pictures.filter("setpts", "PTS-STARTPTS").filter("scale", facts.width, facts.height)
    if params.crop.video:
        filtered = filtered.filter("crop", params.crop.video, params.crop.video)
    elif params.reencode:
        filtered = filtered.filter("crop", _EVEN.format(side="iw"), _EVEN.format(side="ih"))
    if params.reencode and params.fps:
        filtered = filtered.filter("fps", params.fps)
    if params.seconds:
        filtered = filtered.filter("trim", duration=params.seconds)
    return filtered.filter("format", "yuv420p") if params.reencode else filtered


def _crop_square(picture: Image.Image, side: int) -> Image.Image:
    if not side:
        return picture
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
