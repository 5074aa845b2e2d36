"""Fixtures of the model tests."""

import io
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from realframe.data.batches import build_frame_table
from realframe.media.shards import write_shard
from realframe.models import detector_network
from realframe.settings import Settings
from tests.head_params import make_head_params

SIZE = 64
HEAD = make_head_params(dropout=0.2, standardize=True)


@pytest.fixture(scope="session")
def efficientnet() -> keras.Model:
    """The default backbone on small frames, with random weights."""
    return detector_network.create_detector("efficientnetb0", "random", SIZE, HEAD, 0, Settings())[0]


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """Four frames of noise."""
    return np.random.default_rng(0).uniform(0, 255, (4, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture
def make_table(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Write new shards, one per count of frames, and make their frame table."""

    def make(*counts: int, seed: int = 0) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        items = []
        for number, count in enumerate(counts):
            media_id = f"{number + 1:064x}"
            frames = []
            for index in range(count):
                buffer = io.BytesIO()
                Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(buffer, "PNG")
                frames.append((f"{index:05d}.png", buffer.getvalue()))
            write_shard(tmp_path / f"{media_id}.tar", {"times_s": [0.0] * count, "size": SIZE}, frames)
            items.append(
                {"media_id": media_id, "source": "", "cluster": media_id, "label": "real", "split": "train", "repeat": 1, "weight": 1.0}
            )
        return build_frame_table(pd.DataFrame(items), tmp_path, "train")

    return make
