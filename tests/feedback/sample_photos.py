"""Write photos of random noise."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_photo(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 48, 3), np.uint8)).save(path)
    return path
