"""Clean shards of small clips, and untrained detectors for them."""

import io
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from PIL import Image

from realframe.data.batches import build_frame_table
from realframe.media.shards import write_shard
from realframe.models import detector_network, heads
from realframe.settings import Settings
from tests.head_params import make_head_params

SIZE = 64


def write_clips(clean: Path, counts: list[int]) -> pd.DataFrame:
    """Write one shard per frame count, with every other sampled frame dropped; return the frame table."""
    random = np.random.default_rng(0)
    rows = []
    for number, count in enumerate(counts):
        media_id, label = f"{number:064x}", ("real", "fake")[number % 2]
        frames = []
        for index in range(count):
            noise = random.normal(random.uniform(60, 200), random.uniform(5, 40), (SIZE, SIZE, 3))
            buffer = io.BytesIO()
            Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
            frames.append((f"{2 * index:05d}.png", buffer.getvalue()))
        write_shard(clean / f"{media_id}.tar", {"times_s": [0.5 * at for at in range(2 * count)], "size": SIZE}, frames)
        rows.append({"media_id": media_id, "source": "", "cluster": media_id, "label": label, "split": "test", "repeat": 1, "weight": 1.0})
    return build_frame_table(pd.DataFrame(rows), clean, "test")


def build_detector(kind: str, length: int = 6) -> keras.Model:
    """Build a detector with random weights whose head standardizes its features."""
    chosen = make_head_params(kind=kind, length=length, units=8, dense=0, standardize=True)
    model, _ = detector_network.create_detector("residual_cnn", "random", SIZE, chosen, 0, Settings())
    random = np.random.default_rng(1).uniform(0, 255, (16, SIZE, SIZE, 3)).astype(np.float32)
    pooled = np.asarray(keras.Model(model.input, model.get_layer(detector_network.POOLED).output).predict_on_batch(random))
    clips = detector_network.get_clip_head(model)
    if clips is None:
        detector_network.fit_standardization(model, pooled)
        detector_network.initialize_head(model, np.random.default_rng(2).normal(0, 1 / pooled.std(), pooled.shape[1]), 0.0)
    else:
        heads.set_standardization(clips, pooled.mean(axis=0), pooled.var(axis=0))
    return model
