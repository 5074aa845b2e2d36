"""Measure whether the verdict on a picture depends on its size or its compression, as a messenger changes both.

A detector may rest on traces that disappear when a picture is scaled or compressed, above all in small pictures. So a single image is also
scored as a messenger would pass it on: at half its size, as a JPEG of quality 75. This view is a file that goes through the code that every
file goes through. It has a quarter of the pixels, so an image costs at most about twice as much; files of a batch are not measured. A
detector that cuts its square from the middle of the picture unscaled gets the view enlarged to the size of the picture, so that it sees the
same part of it.
"""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from realframe.config import Params
from realframe.errors import MediaError
from realframe.media.file_frames import load_file_frames
from realframe.media.image_damage import decode_image
from realframe.media.still_image import flatten_image
from realframe.statistics.calibration import HIGHEST, LOWEST
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import Caution

MAX_CHANGE = 0.2
"""The largest change of the probability that a view may make."""
HALF_SIZE_JPEG = "as a JPEG of half its size"
_QUALITY = 75


def load_views(path: Path, container: str, params: Params) -> dict[str, NDArray[np.uint8]]:
    """Return the cleaned pictures of the views of an image, by their names, uint8 RGB (1, size, size, 3).

    There is one view at present; it is missing where it cannot be used, because it is too blurred or too small.
    """
    with tempfile.TemporaryDirectory() as folder:
        view = Path(folder) / "view.jpg"
        _write_half_size_jpeg(path, container, params, view)
        with suppress(MediaError):
            return {HALF_SIZE_JPEG: load_file_frames(view, params).pictures}
    return {}


def _write_half_size_jpeg(path: Path, container: str, params: Params, target: Path) -> None:
    """Write the picture at half its size, upright and with its color profile."""
    with decode_image(path, container, params.limits.max_pixels, path) as decoded:
        picture = flatten_image(ImageOps.exif_transpose(decoded.image))
        profile = decoded.image.info.get("icc_profile")
    half = picture.reduce(2)  # the mean of four pixels: many times faster than a filter, and of a single image that is noticed
    if params.harmonize.crop.side_for("image"):
        half = half.resize(picture.size, Image.Resampling.BICUBIC)
    half.save(target, "JPEG", quality=_QUALITY, icc_profile=profile, exif=b"")


def find_instability(probability: float, views: Mapping[str, float], band: UncertaintyBand) -> Caution | None:
    """Return the caution ``quality.unstable`` where a view of a picture contradicts its verdict, or has a probability that is far away.

    Args:
        probability: of the picture as it is.
        views: the probability of each view, by its name.
        band: the probabilities whose verdict is ``uncertain``.
    """
    verdict = band.verdict(probability)
    is_contradicted = verdict != "uncertain" and any(band.verdict(view) != verdict for view in views.values())
    if not is_contradicted and all(abs(view - probability) <= MAX_CHANGE for view in views.values()):
        return None
    changed = ", ".join(f"{_percent(view)} {name}" for name, view in views.items())
    message = (
        f"The picture gets a probability of {_percent(probability)} as it is, but {changed}. What changes with the size or the compression "
        "is no ground for a verdict."
    )
    return Caution(code="quality.unstable", message=message)


def _percent(probability: float) -> str:
    return f"{100 * min(max(probability, LOWEST), HIGHEST):.0f} %"
