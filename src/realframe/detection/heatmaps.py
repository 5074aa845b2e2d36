"""Draw the sprites of a detection: the scored frames, and the same frames with Grad-CAM heatmaps.

The heatmaps (``realframe.models.gradcam``) show which regions the network weights as traces of a generator. They are not proof of
manipulation.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realframe.files import atomic_path
from realframe.media.frame_sampling import sample_evenly
from realframe.models import gradcam
from realframe.store.detection_documents import FRAMES_SPRITE, HEATMAPS_SPRITE, Detection, Tiles

MAX_FRAMES = 64
"""Frames in a sprite."""
_TILE_SIZE = 192  # pixels
_COLUMNS = 8
_JPEG_QUALITY = 85


def select_frames(detection: Detection) -> tuple[int, ...]:
    """Return the indices of the frames for the sprites, rising: at most 64, evenly spaced, with the peak of each moment."""
    times = [frame.time_s for frame in detection.frames]
    peaks = {times.index(moment.peak_s) for moment in detection.moments}
    others = [index for index in range(len(times)) if index not in peaks]
    return tuple(sorted({*peaks, *sample_evenly(others, MAX_FRAMES - len(peaks))}))


def write_heatmaps(model: keras.Model, pictures: NDArray[np.uint8], selected: Sequence[int], folder: Path) -> Tiles:
    """Write ``FRAMES_SPRITE`` and ``HEATMAPS_SPRITE`` into ``folder``, each atomically.

    Args:
        model: the detector's network.
        pictures: the frames that it scored, uint8 RGB (N, size, size, 3).
        selected: indices of the frames to draw, rising.
        folder: is created where it is missing.
    """
    frames = pictures[list(selected)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax over axis", UserWarning)  # attention in a clip of one frame
        heat = gradcam.compute_heatmaps(model, frames)
    tiles = Tiles(size=min(_TILE_SIZE, frames.shape[1]), columns=min(_COLUMNS, len(selected)), frame_indices=tuple(selected))
    overlays = [gradcam.overlay_heatmap(frame, frame_heat) for frame, frame_heat in zip(frames, heat, strict=True)]
    _write_sprite(list(frames), tiles, folder / FRAMES_SPRITE)
    _write_sprite(overlays, tiles, folder / HEATMAPS_SPRITE)
    return tiles


def _write_sprite(pictures: Sequence[NDArray[np.uint8]], tiles: Tiles, target: Path) -> None:
    sprite = Image.new("RGB", (tiles.width, tiles.height))
    for index, picture in enumerate(pictures):
        tile = Image.fromarray(picture).resize((tiles.size, tiles.size), Image.Resampling.LANCZOS)
        sprite.paste(tile, tiles.corner(index))
    with atomic_path(target) as temporary:
        sprite.save(temporary, "JPEG", quality=_JPEG_QUALITY)
