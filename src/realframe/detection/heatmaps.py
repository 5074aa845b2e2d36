"""The pictures of an answer: the frames that were looked at, and over each of them where the evidence for AI-generated stands.

They are Grad-CAM heat maps (``realframe.models.gradcam``). They show where the network found what it takes for traces; they don't prove that
anything was done there.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realframe.detection.result import FRAMES, HEAT
from realframe.files import atomic_path
from realframe.media.frame_sampling import evenly
from realframe.models import gradcam
from realframe.store.detection_documents import Detection, Tiles

MOST = 64
"""Frames that are shown."""
_SIDE = 192
_COLUMNS = 8
_QUALITY = 85


def chosen(detection: Detection) -> tuple[int, ...]:
    """Return the places of the frames that are shown, rising: at most 64, evenly spaced, the peaks of the moments always among them."""
    times = [frame.time_s for frame in detection.frames]
    peaks = {times.index(moment.peak_s) for moment in detection.moments}
    others = [place for place in range(len(times)) if place not in peaks]
    return tuple(sorted({*peaks, *evenly(others, MOST - len(peaks))}))


def draw_heatmaps(model: keras.Model, pictures: NDArray[np.uint8], shown: Sequence[int], folder: Path) -> Tiles:
    """Write ``frames.jpg`` and ``heat.jpg`` into ``folder``, each whole or not at all.

    Args:
        model: the detector.
        pictures: the frames that it looked at, uint8 RGB (N, size, size, 3).
        shown: which of them are shown, rising.
        folder: is made where it is missing.
    """
    frames = pictures[list(shown)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax over axis", UserWarning)  # attention in a clip of one frame
        heat = gradcam.heatmaps(model, frames)
    tiles = Tiles(size=min(_SIDE, frames.shape[1]), columns=min(_COLUMNS, len(shown)), shown=tuple(shown))
    overlays = [gradcam.overlay(frame, warmth) for frame, warmth in zip(frames, heat, strict=True)]
    _write(list(frames), tiles, folder / FRAMES)
    _write(overlays, tiles, folder / HEAT)
    return tiles


def _write(pictures: Sequence[NDArray[np.uint8]], tiles: Tiles, target: Path) -> None:
    sheet = Image.new("RGB", (tiles.width, tiles.height))
    for place, picture in enumerate(pictures):
        tile = Image.fromarray(picture).resize((tiles.size, tiles.size), Image.Resampling.LANCZOS)
        sheet.paste(tile, tiles.corner(place))
    with atomic_path(target) as temporary:
        sheet.save(temporary, "JPEG", quality=_QUALITY)
