"""Measure whether the verdict on a picture depends on its size or its compression, as a messenger changes both.

A detector may rest on traces that disappear when a picture is scaled or compressed, above all in small pictures. So a single image is also
scored as two views: at half its size and enlarged again, and as a JPEG of quality 75. Each view is a file that goes through the code that
every file goes through. Both are scored in one batch, so an image costs at most three times the scoring of one picture; files of a batch
are not measured. A picture that becomes a square of a quarter of its size or less has no view at half its size: the detail that it would
lose is lost in the square, and the view of a large picture costs seconds.
"""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from realframe.config import Params
from realframe.errors import MediaError
from realframe.evaluation.perturbations import Perturbation, perturb_image
from realframe.media.file_frames import load_file_frames
from realframe.media.image_damage import decode_image
from realframe.media.still_image import flatten_image
from realframe.statistics.calibration import HIGHEST, LOWEST
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import Caution

MAX_CHANGE = 0.2
"""The largest change of the probability that a view may make."""
HALF_SIZE, JPEG = "at half its size and enlarged again", "as a JPEG of quality 75"
_QUALITY = 75
_STRONG_REDUCTION = 4


def load_views(path: Path, container: str, params: Params) -> dict[str, NDArray[np.uint8]]:
    """Return the cleaned pictures of the views of an image, by their names, uint8 RGB (1, size, size, 3).

    A view that cannot be used, such as one that is too blurred, is missing.
    """
    views = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, file in _write_views(path, container, params, Path(folder)).items():
            with suppress(MediaError):
                views[name] = load_file_frames(file, params).pictures
    return views


def _write_views(path: Path, container: str, params: Params, folder: Path) -> dict[str, Path]:
    """Write the views, upright and with the color profile of the picture; return their files by their names."""
    with decode_image(path, container, params.limits.max_pixels, path) as decoded:
        picture = flatten_image(ImageOps.exif_transpose(decoded.image))
        profile = decoded.image.info.get("icc_profile")
    files = {}
    if params.harmonize.crop.side_for("image") or min(picture.size) < _STRONG_REDUCTION * params.clean.size:
        files[HALF_SIZE] = folder / "half.tif"
        half = perturb_image(picture, Perturbation("downscale", 0.5), np.random.default_rng(0))
        half.save(files[HALF_SIZE], "TIFF", icc_profile=profile, exif=b"")
    files[JPEG] = folder / "compressed.jpg"
    picture.save(files[JPEG], "JPEG", quality=_QUALITY, icc_profile=profile, exif=b"")
    return files


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
