"""What happens to pictures on their way through the world, done to one picture: each keeps its mode, so that only pixels change.

The kinds and strengths are those that detectors are commonly tested on: Wang et al., "CNN-generated images are surprisingly easy to
spot... for now" (2020), JPEG and blur; Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions" (2019),
noise and scaling.

The degraded frames of one item, as the model would be given them: degraded at their native size, then made the same square.
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

from realframe.config import Harmonization, Params
from realframe.errors import MediaError
from realframe.media.file_frames import frames_of
from realframe.media.frame_sampling import evenly
from realframe.media.harmonize import reencode_video
from realframe.media.probe import probe
from realframe.media.shards import open_shard, read_frames
from realframe.media.square import fitted, padded
from realframe.media.still_image import flattened, opened

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


_MEMBERS = {"png": "png", "jpg": "jpeg"}  # of a video's frames
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Item:
    """Where an item's files lie.

    Attributes:
        media_id: its id.
        original: the file as it came in.
        sampled: the shard of its sampled frames.
        clean: the shard of those that cleaning kept.
    """

    media_id: str
    original: Path
    sampled: Path
    clean: Path


def degraded(item: Item, params: Params) -> dict[Perturbation, NDArray[np.uint8]]:
    """Return the squares of some frames of an item in every degradation, uint8 RGB (at most ``evaluate.robustness_frames``, size, size, 3).

    The frames are spread evenly over those that cleaning kept, the same for each degradation; none is dropped for its quality again.
    A video that H.264 can't be made of lacks the degradations of whole videos, with a warning.

    Args:
        item: whose files are read.
        params: the size of the square, the limits, the seed of the noise.

    Raises:
        UndecodableError: a frame can't be decoded.
    """
    indices = read_frames(item.clean)[1]
    chosen = indices[evenly(range(len(indices)), params.evaluate.robustness_frames)]
    originals = list(_sampled(item, set(chosen.tolist()), params))
    made = {how: np.stack([_square(frame, how, item, number, params) for number, frame in originals]) for how in OF_PICTURES}
    return made | _as_videos(item, chosen, params)


def _sampled(item: Item, chosen: set[int], params: Params) -> Iterator[tuple[int, Image.Image]]:
    """Yield the number and the upright picture of the chosen frames, at their native size."""
    with open_shard(item.sampled) as shard:
        still = shard.facts["container"] if shard.facts["kind"] == "image" else ""
        for number, (member, data) in enumerate(shard.frames()):
            if number not in chosen:
                continue
            with opened(BytesIO(data), still or _MEMBERS[member.split(".")[1]], params.limits.max_pixels, item.media_id) as image:
                picture = flattened(ImageOps.exif_transpose(image))
                if profile := image.info.get("icc_profile"):
                    picture.info["icc_profile"] = profile
            yield number, picture


def _square(frame: Image.Image, how: Perturbation, item: Item, number: int, params: Params) -> NDArray[np.uint8]:
    random = np.random.default_rng([params.seed, int(item.media_id[:16], 16), number, int(how.level)])
    return np.asarray(padded(fitted(perturbed(frame, how, random), params.clean), params.clean.size))


def _as_videos(item: Item, chosen: NDArray[np.int64], params: Params) -> dict[Perturbation, NDArray[np.uint8]]:
    """Return the chosen frames of the video encoded anew, which then goes the way of any file."""
    facts = probe(item.original, params.limits)
    if facts.kind != "video":
        return {}
    keep_all = params.clean.model_copy(update={"min_std": 0.0, "min_sharpness": 0.0, "duplicate_distance": -1})
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for how in OF_VIDEOS:
            target = Path(folder) / f"{how.level}.mp4"
            try:
                reencode_video(item.original, facts, _encoding(params, how), params.limits, target)
                frames = frames_of(target, params.model_copy(update={"clean": keep_all}))
            except MediaError as error:
                _log.warning("%s is not measured as %s %g: %s", item.original.name, how.name, how.level, error)
                continue
            same = np.isin(frames.indices, chosen)
            if same.sum() == len(chosen):  # else the encoder has left frames out, and nothing is left to compare
                made[how] = frames.pictures[same]
    return made


def _encoding(params: Params, how: Perturbation) -> Harmonization:
    """Return what encodes a whole video anew and does nothing else to it."""
    nothing = {"crop": {"image": 0, "video": 0}, "seconds": 0, "fps": 0, "match": []}
    return Harmonization.model_validate(params.harmonize.model_dump() | nothing | {"reencode": True, "crf": int(how.level)})
