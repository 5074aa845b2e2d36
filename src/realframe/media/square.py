"""One sampled frame to the upright sRGB square that the model sees."""

from io import BytesIO

from PIL import Image, ImageCms, ImageOps

from realframe.config import Clean
from realframe.media.still_image import flattened

_FILTER = Image.Resampling.LANCZOS
_SRGB = ImageCms.createProfile("sRGB")


def fitted(image: Image.Image, clean: Clean) -> Image.Image:
    """Return ``image`` upright, in sRGB, scaled to ``clean.size``; under ``pad`` without the bars, so one side may be shorter.

    Transparency is laid on white, 16 bits become 8, and an ICC profile is converted to sRGB (a broken one is taken for sRGB, as
    browsers do). It is scaled once, by the Lanczos filter, and colours are converted after scaling, where there are fewer pixels.

    Raises:
        ValueError: its pixel format can't be taken.
    """
    plain = flattened(ImageOps.exif_transpose(image))
    square = (clean.size, clean.size)
    if clean.fit == "crop":
        scaled = ImageOps.fit(plain, square, _FILTER)
    elif clean.fit == "pad":
        scaled = ImageOps.contain(plain, square, _FILTER)
    else:
        scaled = plain.resize(square, _FILTER)
    return in_srgb(scaled, image.info.get("icc_profile"))


def padded(frame: Image.Image, size: int) -> Image.Image:
    """Return ``frame`` in the middle of a black square of side ``size``."""
    if frame.size == (size, size):
        return frame
    square = Image.new("RGB", (size, size))
    square.paste(frame, ((size - frame.width) // 2, (size - frame.height) // 2))
    return square


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return ``image`` as RGB in sRGB, converted from the ICC ``profile`` where there is one that can be read."""
    if not profile:
        return image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if image.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
            return image  # a round trip would only add rounding errors
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        converted = None
    return converted or image.convert("RGB")
