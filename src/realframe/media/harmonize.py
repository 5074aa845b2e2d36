"""One encoding for all videos, by one FFmpeg process with one thread: equal input gives equal bytes.

Taking the file facts out of a media item: the same square of native pixels, the same length and the same encoding for both classes.

Native pixels, because scaling leaves traces of its own, which would tell the sizes apart that the crop hides.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from realframe.config import Harmonization, Limits
from realframe.errors import TooSmallError
from realframe.media.decode import pictures_of
from realframe.media.ffmpeg import run
from realframe.media.probe import MediaFacts
from realframe.media.square import in_srgb
from realframe.media.still_image import flattened, opened
from realframe.media.video_stream import read_stream

# Nothing but pictures: no sound, no tags, no chapters, and no word of the program that wrote the file.
_BARE: dict[str, Any] = {"an": None, "sn": None, "dn": None, "map_metadata": -1, "map_chapters": -1}
_EXACT: dict[str, Any] = {"fflags": "+bitexact", "flags:v": "+bitexact", "threads": 1}
_H264: dict[str, Any] = {"vcodec": "libx264", "preset": "veryfast", "f": "mp4"}
_LOSSLESS: dict[str, Any] = {"vcodec": "ffv1", "level": 3, "f": "matroska"}
_EVEN = "trunc({side}/2)*2"  # 4:2:0 has no odd sides


def reencode_video(source: Path, facts: MediaFacts, harmonization: Harmonization, limits: Limits, target: Path) -> None:
    """Write the pictures of ``source``, upright, cropped and encoded as ``harmonization`` says, to ``target``.

    Args:
        source: the video; only read.
        facts: what ``probe`` found.
        harmonization: H.264 (``crf``, ``fps``, 4:2:0) where it encodes anew; where it only crops, FFV1, which loses nothing.
        limits: what FFmpeg may cost.
        target: the new file, written in place.

    Raises:
        UndecodableError: the video is damaged.
        OverLimitError: it takes more than ``limits`` allows.
    """
    stream = read_stream(source, facts.container, limits)
    pictures = _shaped(pictures_of(source, facts.container, stream.index, limits), facts, harmonization)
    encoding = {**_H264, "crf": harmonization.crf} if harmonization.reencode else _LOSSLESS
    with tempfile.TemporaryDirectory() as folder:  # FFmpeg looks at names; the target's says nothing
        made = Path(folder) / "harmonized"
        run(pictures.output(f"file:{made}", fps_mode="passthrough", **encoding, **_BARE, **_EXACT), limits, source)
        target.write_bytes(made.read_bytes())


def _shaped(pictures: Any, facts: MediaFacts, harmonization: Harmonization) -> Any:
    """Return the filters: begin at 0 s, one size throughout, the square in the middle, the rate, the length, the pixel format."""
    shaped = pictures.filter("setpts", "PTS-STARTPTS").filter("scale", facts.width, facts.height)
    if harmonization.crop.video:
        shaped = shaped.filter("crop", harmonization.crop.video, harmonization.crop.video)
    elif harmonization.reencode:
        shaped = shaped.filter("crop", _EVEN.format(side="iw"), _EVEN.format(side="ih"))
    if harmonization.reencode and harmonization.fps:
        shaped = shaped.filter("fps", harmonization.fps)
    if harmonization.seconds:
        shaped = shaped.filter("trim", duration=harmonization.seconds)
    return shaped.filter("format", "yuv420p") if harmonization.reencode else shaped


_SUFFIXES = {(True, "video"): "mp4", (True, "image"): "jpg", (False, "video"): "mkv", (False, "image"): "png"}


def harmonized_name(media_id: str, kind: str, harmonization: Harmonization) -> str:
    """Return the name of an item's harmonized file; where harmonization encodes nothing anew, what it crops is kept without loss."""
    return f"{media_id}.{_SUFFIXES[harmonization.reencode, kind]}"


def source_of(item: Mapping[str, Any], harmonization: Harmonization, raw: Path, harmonized: Path) -> Path:
    """Return the file from which the frames of a row of ``data/harmonized.parquet`` are taken: the harmonized one, or the original."""
    return harmonized / harmonized_name(item["media_id"], item["kind"], harmonization) if harmonization.rewrites else raw / item["path"]


def refuse_small(facts: MediaFacts, harmonization: Harmonization, name: object) -> None:
    """Raise TooSmallError where the item called ``name`` does not hold the square, or the seconds, that harmonization keeps of it."""
    side = harmonization.crop.of(facts.kind)
    if min(facts.width, facts.height) < side:
        size = f"is {facts.width}x{facts.height}, and harmonization keeps a square of {side} pixels"
        raise TooSmallError(name, size, f"Give a larger picture, or lower harmonize.crop.{facts.kind} and train anew.")
    if facts.kind == "video" and facts.duration_s < harmonization.seconds:
        length = f"lasts {facts.duration_s:g} s, and harmonization keeps {harmonization.seconds:g} s"
        raise TooSmallError(name, length, "Give a longer video, or lower harmonize.seconds and train anew.")


def harmonize_file(source: Path, facts: MediaFacts, harmonization: Harmonization, limits: Limits, target: Path) -> None:
    """Write what ``harmonization`` makes of ``source``, upright and without metadata, to ``target``; equal input gives equal bytes.

    Args:
        source: the media file; only read.
        facts: what ``probe`` found.
        harmonization: one that ``rewrites``.
        limits: what the file may cost.
        target: the new file.

    Raises:
        TooSmallError: the picture is smaller than ``harmonize.crop`` says, or the video shorter than ``harmonize.seconds``.
        UndecodableError: the file is cut short or damaged.
        OverLimitError: it takes more than ``limits`` allows.
    """
    refuse_small(facts, harmonization, source)
    if facts.kind == "video":
        reencode_video(source, facts, harmonization, limits, target)
        return
    with opened(source, facts.container, limits.max_pixels, source) as image:
        plain = in_srgb(_square(flattened(ImageOps.exif_transpose(image)), harmonization.crop.image), image.info.get("icc_profile"))
    plain.info.clear()  # Pillow would write a JPEG's comment into the new one
    if harmonization.reencode:
        plain.save(target, "JPEG", quality=harmonization.jpeg_quality, subsampling=0)
    else:
        plain.save(target, "PNG")


def _square(picture: Image.Image, side: int) -> Image.Image:
    if not side:
        return picture
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
