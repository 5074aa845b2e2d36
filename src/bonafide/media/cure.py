"""Taking the file facts out of a media item: the same square of native pixels, the same length and the same encoding for both classes.

Native pixels, because scaling leaves traces of its own, which would tell the sizes apart that the crop hides.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from bonafide.errors import TooSmallError
from bonafide.media.picture import flattened, opened
from bonafide.media.probe import MediaFacts
from bonafide.media.reencode import reencode_video
from bonafide.media.square import in_srgb
from bonafide.params import Cure, Limits

_SUFFIXES = {(True, "video"): "mp4", (True, "image"): "jpg", (False, "video"): "mkv", (False, "image"): "png"}


def cured_name(media_id: str, kind: str, cure: Cure) -> str:
    """Return the name of an item's cured file; where the cure encodes nothing anew, what it crops is kept without loss."""
    return f"{media_id}.{_SUFFIXES[cure.reencode, kind]}"


def source_of(item: Mapping[str, Any], cure: Cure, raw: Path, cured: Path) -> Path:
    """Return the file from which the frames of a row of ``data/cured.parquet`` are taken: the cured one, or the original."""
    return cured / cured_name(item["media_id"], item["kind"], cure) if cure.rewrites else raw / item["path"]


def refuse_small(facts: MediaFacts, cure: Cure, name: object) -> None:
    """Raise TooSmallError where the item called ``name`` does not hold the square, or the seconds, that the cure keeps of it."""
    side = cure.crop.of(facts.kind)
    if min(facts.width, facts.height) < side:
        size = f"is {facts.width}x{facts.height}, and the cure keeps a square of {side} pixels"
        raise TooSmallError(name, size, f"Give a larger picture, or lower cure.crop.{facts.kind} and train anew.")
    if facts.kind == "video" and facts.duration_s < cure.seconds:
        length = f"lasts {facts.duration_s:g} s, and the cure keeps {cure.seconds:g} s"
        raise TooSmallError(name, length, "Give a longer video, or lower cure.seconds and train anew.")


def cure_file(source: Path, facts: MediaFacts, cure: Cure, limits: Limits, target: Path) -> None:
    """Write what ``cure`` makes of ``source``, upright and without metadata, to ``target``; equal input gives equal bytes.

    Args:
        source: the media file; only read.
        facts: what ``probe`` found.
        cure: one that ``rewrites``.
        limits: what the file may cost.
        target: the new file.

    Raises:
        TooSmallError: the picture is smaller than ``cure.crop`` says, or the video shorter than ``cure.seconds``.
        UndecodableError: the file is cut short or damaged.
        OverLimitError: it takes more than ``limits`` allows.
    """
    refuse_small(facts, cure, source)
    if facts.kind == "video":
        reencode_video(source, facts, cure, limits, target)
        return
    with opened(source, facts.container, limits.max_pixels, source) as image:
        plain = in_srgb(_square(flattened(ImageOps.exif_transpose(image)), cure.crop.image), image.info.get("icc_profile"))
    plain.info.clear()  # Pillow would write a JPEG's comment into the new one
    if cure.reencode:
        plain.save(target, "JPEG", quality=cure.jpeg_quality, subsampling=0)
    else:
        plain.save(target, "PNG")


def _square(picture: Image.Image, side: int) -> Image.Image:
    if not side:
        return picture
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
