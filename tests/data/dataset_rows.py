"""Rows of the dataset's tables without files behind them, and small pictures with files."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from realframe.data.manifest import MEDIA


def media_id(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def item(name: object, label: str, **facts: object) -> dict[str, object]:
    """One row of ``media.parquet``."""
    usual = {
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
        "quantisation": "",
        "jpeg_quality": 0,
        "metadata": "",
    }
    return usual | facts


def table(rows: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=MEDIA.names)


def two_classes(real: int, fake: int, **facts: object) -> list[dict[str, object]]:
    return [item(f"r{at}", "real", **facts) for at in range(real)] + [item(f"f{at}", "fake", **facts) for at in range(fake)]


def quality_of(rows: list[dict[str, object]], hashes: dict[str, str] | None = None) -> pd.DataFrame:
    """One kept frame per item; hashes are far apart unless they are given by media id."""
    frames = [
        {"media_id": row["media_id"], "index": 0, "time_s": 0.0, "kept": True, "reason": "", "std": 50.0, "sharpness": 50.0}
        | {"brightness": 120.0}
        | {"phash": (hashes or {}).get(str(row["media_id"]), str(row["media_id"])[:16])}
        for row in rows
    ]
    return pd.DataFrame(frames, columns=["media_id", "index", "time_s", "kept", "reason", "std", "sharpness", "brightness", "phash"])


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (48, 32)) -> Path:
    """A small picture of noise; equal seeds and names' suffixes give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path
