"""Clean shards of small clips, and untrained detectors that look at them."""

import io
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from PIL import Image

from realframe.data.batches import frame_table
from realframe.media.shards import write_shard
from realframe.models import detector_network, heads
from realframe.settings import Settings
from tests.heads import head

SIZE = 64


def write_clips(clean: Path, counts: list[int]) -> pd.DataFrame:
    """Write a shard for each count of frames, whose cleaning dropped every other sampled frame; return their frame table."""
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
        rows.append({"media_id": media_id, "cluster": media_id, "label": label, "split": "test", "repeat": 1, "weight": 1.0})
    return frame_table(pd.DataFrame(rows), clean, "test")


def network(kind: str, length: int = 6) -> keras.Model:
    """A detector with random weights whose head standardizes features of their size."""
    chosen = head(kind=kind, length=length, units=8, dense=0, normalize=True)
    model, _ = detector_network.open_backbone("residual_cnn", "random", SIZE, chosen, 0, Settings())
    random = np.random.default_rng(1).uniform(0, 255, (16, SIZE, SIZE, 3)).astype(np.float32)
    pooled = np.asarray(keras.Model(model.input, model.get_layer(detector_network.POOLED).output).predict_on_batch(random))
    clips = detector_network.clip_head(model)
    if clips is None:
        detector_network.standardize(model, pooled)
        detector_network.begin_at(model, np.random.default_rng(2).normal(0, 1 / pooled.std(), pooled.shape[1]), 0.0)
    else:
        heads.standardize(clips, pooled.mean(axis=0), pooled.var(axis=0))
    return model
