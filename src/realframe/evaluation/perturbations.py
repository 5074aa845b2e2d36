"""Perturb images and videos the way messengers and platforms do: compression, blur, scaling, cropping, noise.

The kinds and levels are common in the literature: Wang et al., "CNN-generated images are surprisingly easy to spot... for now" (2020),
JPEG and blur; Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions" (2019), noise and scaling.
Frames are perturbed at their native size and then made square, as in the pipeline.
"""

import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from realframe.config import HarmonizeParams, Params
from realframe.errors import MediaError
from realframe.media.file_frames import load_file_frames
from realframe.media.frame_sampling import sample_evenly
from realframe.media.harmonize import reencode_video
from realframe.media.image_damage import decode_image
from realframe.media.probe import probe_media
from realframe.media.shards import open_shard, read_shard_frames
from realframe.media.square import fit_to_square, pad_to_square
from realframe.media.still_image import flatten_image

ImageFunction = Callable[[Image.Image, float, np.random.Generator], Image.Image]
_FORMAT_BY_SUFFIX = {"png": "png", "jpg": "jpeg"}  # of the frames of a video
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Perturbation:
    """One perturbation at one level.

    Attributes:
        name: ``none``, ``jpeg``, ``blur``, ``downscale``, ``crop`` or ``noise`` for images; ``h264`` for whole videos.
        level: JPEG quality, sigma of the blur in pixels, remaining share of each side for scaling and cropping, sigma of the noise in
            8-bit steps, or H.264 CRF; 0 for ``none``.
    """

    name: str
    level: float


UNCHANGED = Perturbation("none", 0)
IMAGE_PERTURBATIONS = (
    UNCHANGED,
    *(Perturbation("jpeg", quality) for quality in (90, 70, 50, 30)),
    *(Perturbation("blur", sigma) for sigma in (1, 2, 3)),
    *(Perturbation("downscale", share) for share in (0.5, 0.25)),
    *(Perturbation("crop", share) for share in (0.75, 0.5)),
    *(Perturbation("noise", sigma) for sigma in (5, 10, 20)),
)
VIDEO_PERTURBATIONS = tuple(Perturbation("h264", crf) for crf in (28, 35))


def perturb_image(image: Image.Image, perturbation: Perturbation, random: np.random.Generator) -> Image.Image:
    """Return a perturbed image with the same mode and the same color profile.

    Args:
        image: upright, of mode ``L``, ``RGB`` or ``CMYK``.
        perturbation: one of ``IMAGE_PERTURBATIONS``.
        random: random generator of the noise.
    """
    result = _IMAGE_FUNCTIONS[perturbation.name](image, perturbation.level, random)
    if profile := image.info.get("icc_profile"):
        result.info["icc_profile"] = profile
    return result


def _jpeg(image: Image.Image, quality: float, _: np.random.Generator) -> Image.Image:
    data = BytesIO()
    image.save(data, "JPEG", quality=int(quality), subsampling="4:2:0")
    with Image.open(data, formats=["JPEG"]) as compressed:
        compressed.load()
        return compressed.copy()


def _blur(image: Image.Image, sigma: float, _: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(sigma))


def _downscale(image: Image.Image, share: float, _: np.random.Generator) -> Image.Image:
    small = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(small, Image.Resampling.LANCZOS).resize(image.size, Image.Resampling.BICUBIC)


def _crop(image: Image.Image, share: float, _: np.random.Generator) -> Image.Image:
    width, height = max(1, round(image.width * share)), max(1, round(image.height * share))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _noise(image: Image.Image, sigma: float, random: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    noisy = pixels + np.float32(sigma) * random.standard_normal(pixels.shape, np.float32)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8), image.mode)


_IMAGE_FUNCTIONS: dict[str, ImageFunction] = {
    "none": lambda image, *_: image,
    "jpeg": _jpeg,
    "blur": _blur,
    "downscale": _downscale,
    "crop": _crop,
    "noise": _noise,
}


@dataclass(frozen=True)
class ItemFiles:
    """The files of a media item.

    Attributes:
        media_id: id of the item.
        original_file: the original file.
        frames_shard: shard of the sampled frames.
        clean_shard: shard of the frames that cleaning kept.
    """

    media_id: str
    original_file: Path
    frames_shard: Path
    clean_shard: Path


def perturb_item(item: ItemFiles, params: Params) -> dict[Perturbation, NDArray[np.uint8]]:
    """Return some frames of an item under every perturbation, uint8 RGB (T, size, size, 3), T at most ``evaluate.robustness_frames``.

    The frames are evenly spaced among those that cleaning kept, and the same for each perturbation. Perturbed frames are not cleaned again.
    If a video cannot be encoded as H.264, the perturbations of whole videos are missing and a warning is logged.

    Args:
        item: the files to read.
        params: gives the size of the square, the limits and the seed of the noise.

    Raises:
        UndecodableError: a frame cannot be decoded.
    """
    indices = read_shard_frames(item.clean_shard)[1]
    chosen = indices[sample_evenly(range(len(indices)), params.evaluate.robustness_frames)]
    originals = list(_read_chosen_frames(item, set(chosen.tolist()), params))
    squares = {
        perturbation: np.stack([_make_square(frame, perturbation, item, number, params) for number, frame in originals])
        for perturbation in IMAGE_PERTURBATIONS
    }
    return squares | _perturb_video(item, chosen, params)


def _read_chosen_frames(item: ItemFiles, chosen: set[int], params: Params) -> Iterator[tuple[int, Image.Image]]:
    """Yield the index and the upright image of each chosen frame, at native size."""
    with open_shard(item.frames_shard) as shard:
        still = shard.facts["container"] if shard.facts["kind"] == "image" else ""
        for number, (member, data) in enumerate(shard.frames()):
            if number not in chosen:
                continue
            container = still or _FORMAT_BY_SUFFIX[member.split(".")[1]]
            with decode_image(BytesIO(data), container, params.limits.max_pixels, item.media_id) as decoded:
                upright = flatten_image(ImageOps.exif_transpose(decoded.image))
                if profile := decoded.image.info.get("icc_profile"):
                    upright.info["icc_profile"] = profile
            yield number, upright


def _make_square(frame: Image.Image, perturbation: Perturbation, item: ItemFiles, number: int, params: Params) -> NDArray[np.uint8]:
    random = np.random.default_rng([params.seed, int(item.media_id[:16], 16), number, int(perturbation.level)])
    return np.asarray(pad_to_square(fit_to_square(perturb_image(frame, perturbation, random), params.clean), params.clean.size))


def _perturb_video(item: ItemFiles, chosen: NDArray[np.int64], params: Params) -> dict[Perturbation, NDArray[np.uint8]]:
    """Re-encode the video at each level, process it like any file, and return the chosen frames."""
    facts = probe_media(item.original_file, params.limits)
    if facts.kind != "video":
        return {}
    keep_all = params.clean.model_copy(update={"min_std": 0.0, "min_sharpness": 0.0, "duplicate_distance": -1})
    squares = {}
    with tempfile.TemporaryDirectory() as folder:
        for perturbation in VIDEO_PERTURBATIONS:
            target = Path(folder) / f"{perturbation.level}.mp4"
            try:
                reencode_video(item.original_file, facts, _encoding_params(params, perturbation), params.limits, target)
                frames = load_file_frames(target, params.model_copy(update={"clean": keep_all}))
            except MediaError as error:
                _log.warning("%s: skipped perturbation %s %g: %s", item.original_file.name, perturbation.name, perturbation.level, error)
                continue
            is_chosen = np.isin(frames.indices, chosen)
            if is_chosen.sum() == len(chosen):  # otherwise the encoder dropped frames, and the frames do not match
                squares[perturbation] = frames.pictures[is_chosen]
    return squares


def _encoding_params(params: Params, perturbation: Perturbation) -> HarmonizeParams:
    """Return harmonization parameters that re-encode a video and change nothing else."""
    disabled = {"crop": {"image": 0, "video": 0}, "seconds": 0, "fps": 0, "match": []}
    return HarmonizeParams.model_validate(params.harmonize.model_dump() | disabled | {"reencode": True, "crf": int(perturbation.level)})
