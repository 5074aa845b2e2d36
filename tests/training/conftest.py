"""Fixtures of the training tests: the real parameters, reduced, and a small separable dataset."""

import io
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from realframe.config import Params, resolve_params
from realframe.data.batches import build_frame_table
from realframe.media.shards import write_shard
from realframe.models import detector_network
from realframe.settings import Settings
from realframe.training.detector_training import extract_features
from realframe.training.training_job import TrainingJob

SIZE = 48


def write_items(clean: Path, seed: int = 0) -> pd.DataFrame:
    """Write clean shards and return their split table; a fake frame has noise with a pattern of period 2."""
    rng = np.random.default_rng(seed)
    pattern = 25.0 * (np.indices((SIZE, SIZE)).sum(axis=0) % 2)[..., None]
    rows = []
    for number, split in enumerate(["train"] * 16 + ["val"] * 6 + ["test"] * 6):
        label, media_id = ("real", "fake")[number % 2], f"{seed:08x}{number:056x}"
        frames = []
        for index in range(1 + number % 3):
            frame = rng.normal(rng.uniform(80, 160), 12, (SIZE, SIZE, 3)) + (pattern if label == "fake" else 0)
            buffer = io.BytesIO()
            Image.fromarray(frame.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
            frames.append((f"{2 * index:05d}.png", buffer.getvalue()))  # as if cleaning had dropped every other frame
        write_shard(clean / f"{media_id}.tar", {"times_s": [0.0] * 6, "size": SIZE}, frames)
        facts = {"media_id": media_id, "source": "", "cluster": media_id, "label": label, "split": split, "kind": "video"}
        rows.append({**facts, "repeat": 1, "weight": 1.0})
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clean")


@pytest.fixture(scope="session")
def splits(clean: Path) -> pd.DataFrame:
    return write_items(clean)


@pytest.fixture(scope="session")
def tiny(root: Path) -> Params:
    """The default parameters on the smallest backbone and with few epochs."""
    params = resolve_params(root / "params.yaml", root / "recipes").params.model_dump(exclude_none=True)
    params["clean"]["size"] = SIZE
    train = params["train"]
    train |= {"backbone": "residual_cnn", "weights": "random", "batch_size": 8, "early_stopping": 10}
    train["phase1"] |= {"epochs": 3, "min_steps": 10, "learning_rate": 1e-2}
    train["phase2"] |= {"epochs": 2, "min_steps": 5, "learning_rate": 1e-3, "unfreeze_last": 6}
    train["activations"]["views"] = 2
    return Params.model_validate(params)


@pytest.fixture
def network(tiny: Params) -> Callable[..., keras.Model]:
    def make(params: Params = tiny) -> keras.Model:
        return detector_network.create_detector(params.train.backbone, "random", SIZE, params.train.head, params.seed, Settings())[0]

    return make


@pytest.fixture
def make_job(splits: pd.DataFrame, clean: Path, tiny: Params, tmp_path: Path) -> Callable[..., TrainingJob]:
    def make(params: Params = tiny, **changes: object) -> TrainingJob:
        frames = {split: build_frame_table(splits, clean, split) for split in ("train", "val")}
        settings = Settings(home=tmp_path / "home")
        untrained, weights = detector_network.create_detector(
            params.train.backbone, "random", SIZE, params.train.head, params.seed, settings
        )
        features, _ = extract_features(untrained, weights, frames, params.train, params.seed, tmp_path / "features", settings)
        defaults = {
            "features": features,
            "use_smote": params.balance.method == "smote",
            "train": params.train,
            "seed": params.seed,
            "frames": frames,
            "cache_dir": tmp_path / "cache",
            "cache_limit_bytes": settings.cache_limit_bytes,
            "state_dir": tmp_path / "state",
            "workers": 2,
        }
        return TrainingJob(**(defaults | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def changed(tiny: Params) -> Callable[..., Params]:
    """Make the tiny parameters with other values of ``train``, by section or name."""

    def change(**sections: object) -> Params:
        values = tiny.model_dump(exclude_none=True)
        for name, value in sections.items():
            values["train"][name] = {**values["train"][name], **value} if isinstance(value, dict) else value
        return Params.model_validate(values)

    return change
