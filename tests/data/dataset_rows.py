"""Make rows of the dataset's tables without files, and write small pictures."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from realframe.data.manifest import MEDIA_SCHEMA


def media_id(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def make_item(name: object, label: str, **facts: object) -> dict[str, object]:
    """Make one row of ``media.parquet``."""
    defaults = {
        "media_id": media_id(name),
        "path": f"{label}/{name}.mp4",
        "kind": "video",
        "label": label,
        "generator": "",
        "source": "",
        "group": "",
        "licence": "",
        "split": "",
        "width": 640,
        "height": 360,
        "rotation": 0,
        "fps": 25.0,
        "variable_fps": False,
        "frames": 100,
        "duration_s": 4.0,
        "codec": "h264",
        "container": "mp4",
        "bytes": 100_000,
        "quantization": "",
        "jpeg_quality": 0,
        "metadata": "",
    }
    return defaults | facts


def make_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=MEDIA_SCHEMA.names)


def make_two_classes(real: int, fake: int, **facts: object) -> list[dict[str, object]]:
    return [make_item(f"r{index}", "real", **facts) for index in range(real)] + [
        make_item(f"f{index}", "fake", **facts) for index in range(fake)
    ]


def make_quality(rows: list[dict[str, object]], hashes: dict[str, str] | None = None) -> pd.DataFrame:
    """Make one kept frame per item; hashes are far apart unless ``hashes`` names them by media id."""
    frames = [
        {"media_id": row["media_id"], "index": 0, "time_s": 0.0, "is_kept": True, "reason": "", "std": 50.0, "sharpness": 50.0}
        | {"brightness": 120.0}
        | {"phash": (hashes or {}).get(str(row["media_id"]), str(row["media_id"])[:16])}
        for row in rows
    ]
    return pd.DataFrame(frames, columns=["media_id", "index", "time_s", "is_kept", "reason", "std", "sharpness", "brightness", "phash"])


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = (48, 32)) -> Path:
    """Write a small picture of noise; equal seeds and suffixes give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path
