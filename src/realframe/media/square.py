"""Convert a frame to the upright sRGB square that the model sees."""

from io import BytesIO

from PIL import Image, ImageCms, ImageOps

from realframe.config import CleanParams
from realframe.media.still_image import flatten_image

_FILTER = Image.Resampling.LANCZOS
_SRGB = ImageCms.createProfile("sRGB")


def fit_to_square(image: Image.Image, params: CleanParams) -> Image.Image:
    """Return ``image`` upright, in sRGB, scaled to ``clean.size``; under ``pad`` without the bars, so one side may be shorter.

    Transparency becomes white, 16 bits become 8, and an ICC profile is converted to sRGB (a broken profile is treated as sRGB, as
    browsers do). The image is scaled once, with the Lanczos filter; colors are converted after scaling, when there are fewer pixels.

    Raises:
        ValueError: its pixel format is not supported.
    """
    plain = flatten_image(ImageOps.exif_transpose(image))
    square = (params.size, params.size)
    if params.fit == "crop":
        scaled = ImageOps.fit(plain, square, _FILTER)
    elif params.fit == "pad":
        scaled = ImageOps.contain(plain, square, _FILTER)
    else:
        scaled = plain.resize(square, _FILTER)
    return convert_to_srgb(scaled, image.info.get("icc_profile"))


def pad_to_square(frame: Image.Image, size: int) -> Image.Image:
    """Return ``frame`` in the middle of a black square of side ``size``."""
    if frame.size == (size, size):
        return frame
    square = Image.new("RGB", (size, size))
    square.paste(frame, ((size - frame.width) // 2, (size - frame.height) // 2))
    return square


def convert_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return ``image`` as RGB in sRGB, converted from its ICC ``profile`` if it has a readable one."""
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
