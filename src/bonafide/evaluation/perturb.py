"""What happens to pictures on their way through the world, done to one picture: each keeps its mode, so that only pixels change.

The kinds and strengths are those that detectors are commonly tested on: Wang et al., "CNN-generated images are surprisingly easy to
spot... for now" (2020), JPEG and blur; Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions" (2019),
noise and scaling.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

Change = Callable[[Image.Image, float, np.random.Generator], Image.Image]


@dataclass(frozen=True)
class Perturbation:
    """One way in which pictures are degraded.

    Attributes:
        name: ``none``, ``jpeg``, ``blur``, ``downscale``, ``crop`` or ``noise`` of pictures; ``h264`` of whole videos.
        level: how much: a JPEG quality, the sigma of a blur in pixels, the share of each side that is left by scaling or cropping, the
            sigma of noise in steps of 256, an H.264 CRF; 0 for ``none``.
    """

    name: str
    level: float


NONE = Perturbation("none", 0)
OF_PICTURES = (
    NONE,
    *(Perturbation("jpeg", quality) for quality in (90, 70, 50, 30)),
    *(Perturbation("blur", sigma) for sigma in (1, 2, 3)),
    *(Perturbation("downscale", share) for share in (0.5, 0.25)),
    *(Perturbation("crop", share) for share in (0.75, 0.5)),
    *(Perturbation("noise", sigma) for sigma in (5, 10, 20)),
)
OF_VIDEOS = tuple(Perturbation("h264", crf) for crf in (28, 35))


def perturbed(picture: Image.Image, how: Perturbation, random: np.random.Generator) -> Image.Image:
    """Return a degraded picture of the same mode and with the same colour profile.

    Args:
        picture: upright, of mode ``L``, ``RGB`` or ``CMYK``.
        how: one of ``OF_PICTURES``.
        random: of the noise.
    """
    made = _CHANGES[how.name](picture, how.level, random)
    if profile := picture.info.get("icc_profile"):
        made.info["icc_profile"] = profile
    return made


def _jpeg(picture: Image.Image, quality: float, _: np.random.Generator) -> Image.Image:
    data = BytesIO()
    picture.save(data, "JPEG", quality=int(quality), subsampling="4:2:0")
    with Image.open(data, formats=["JPEG"]) as image:
        image.load()
        return image.copy()


def _blur(picture: Image.Image, sigma: float, _: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(sigma))


def _downscale(picture: Image.Image, share: float, _: np.random.Generator) -> Image.Image:
    small = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
    return picture.resize(small, Image.Resampling.LANCZOS).resize(picture.size, Image.Resampling.BICUBIC)


def _crop(picture: Image.Image, share: float, _: np.random.Generator) -> Image.Image:
    width, height = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _noise(picture: Image.Image, sigma: float, random: np.random.Generator) -> Image.Image:
    pixels = np.asarray(picture, np.float32)
    noisy = pixels + np.float32(sigma) * random.standard_normal(pixels.shape, np.float32)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8), picture.mode)


_CHANGES: dict[str, Change] = {
    "none": lambda picture, *_: picture,
    "jpeg": _jpeg,
    "blur": _blur,
    "downscale": _downscale,
    "crop": _crop,
    "noise": _noise,
}
