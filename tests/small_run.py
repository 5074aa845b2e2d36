"""Make the folder of a small run up to its training, with the real code: media, shards, tables, and a model with random weights."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from realframe import artifacts
from realframe.config import Params, ResolvedParams, resolve_params
from realframe.data import manifest
from realframe.files import compute_sha256, write_text
from realframe.media.clean import QualityRow, clean_shard
from realframe.media.extract import extract_frames
from realframe.media.ffmpeg import ffmpeg_executable
from realframe.media.probe import probe_media
from realframe.settings import Settings, get_settings
from tests.trained_checkout import ROOT

SHRUNK = {
    "clean.size": 32,
    "clean.duplicate_distance": -1,
    "evaluate.bootstrap": 200,
    "evaluate.robustness_items": 3,
    "evaluate.robustness_frames": 2,
    "train.batch_size": 8,
    "train.phase1.epochs": 2,
    "train.phase1.min_steps": 2,
}
GENERATORS = ("alpha", "beta")  # of the images; the one fake clip is gamma's
IMAGES_PER_CELL = 6  # images of each class in each split


@dataclass(frozen=True)
class SmallRun:
    """A small run.

    Attributes:
        folder: the working folder of its stages.
        params: its parameters.
        splits: its items.
        settings: the settings of a separate checkout.
    """

    folder: Path
    params: Params
    splits: pd.DataFrame
    settings: Settings

    def run_stage(self, name: str, params: Params | None = None) -> None:
        """Run a stage in this process, with the run's parameters or others."""
        ResolvedParams(params=params or self.params, origins={}).save(self.folder / artifacts.RESOLVED_PARAMS)
        module = import_module(f"pipelines.{name}")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(module, "get_settings", lambda: self.settings)
            patch.setattr(module, "configure_tensorflow", lambda threads, seed: None, raising=False)  # TensorFlow is initialized already
            module.main()


def make_small_run(folder: Path, **changes: Any) -> SmallRun:
    """Write a small run and extract its features."""
    params, splits = write_small_run(folder, **changes)
    run = SmallRun(folder, params, splits, Settings(root=folder, home=folder / "state", workers=2))
    run.run_stage("extract_features")
    return run


def write_small_run(folder: Path, **changes: Any) -> tuple[Params, pd.DataFrame]:
    """Write the outputs of the stages up to ``train``, without the features; return the parameters and the split table."""
    resolved = resolve_params(ROOT / "params.yaml", ROOT / "recipes", recipe="scratch", overrides=SHRUNK | changes)
    (folder / artifacts.RESOLVED_PARAMS).parent.mkdir(parents=True)
    resolved.save(folder / artifacts.RESOLVED_PARAMS)
    splits, quality = _write_tables(folder, resolved.params)
    quality.to_parquet(folder / artifacts.QUALITY, index=False)
    manifest.write(splits, folder / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    _write_training(folder, resolved.params, splits)
    return resolved.params, splits


def _write_tables(folder: Path, params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    items, quality = [], []
    for file, labels in _write_media(folder):
        item, rows = _process_file(folder, file, labels, params)
        items.append(item)
        quality += rows
    return pd.DataFrame(items).sort_values("media_id", ignore_index=True), pd.DataFrame([asdict(row) for row in quality])


def _write_media(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Write the media; yield each file's path in data/raw, and its label, split and generator."""
    for number in range(3 * 2 * IMAGES_PER_CELL):
        label, split = ("real", "fake")[number % 2], ("train", "val", "test")[number // 2 % 3]
        generator = GENERATORS[number // 6 % 2] if label == "fake" else ""
        yield _write_photo(folder, number, label), {"label": label, "split": split, "generator": generator}
    for label, picture, generator in (("real", "mandelbrot", ""), ("fake", "testsrc2", "gamma")):
        yield _write_clip(folder, picture, label), {"label": label, "split": "test", "generator": generator}


def _process_file(folder: Path, path: str, labels: dict[str, str], params: Params) -> tuple[dict[str, Any], list[QualityRow]]:
    """Process a file with the code of the media stages; return its row, and those of its frames."""
    file = folder / artifacts.RAW_MEDIA / path
    facts, media_id = probe_media(file, params.limits), compute_sha256(file)
    sampled = folder / artifacts.FRAMES / f"{media_id}.tar"
    extract_frames(file, media_id, facts, params.extract, params.limits, sampled)
    quality = clean_shard(sampled, params.clean, params.limits, folder / artifacts.CLEAN_FRAMES / f"{media_id}.tar")
    unknown = {"source": "", "group": "", "licence": "", "cluster": media_id, "repeat": 1, "weight": 1.0}
    return {"media_id": media_id, "path": path, **asdict(facts), **unknown, **labels}, quality


def _write_photo(folder: Path, number: int, label: str) -> str:
    """Write noise; the fake ones have a grid like that of upsampling."""
    random = np.random.default_rng(number)
    pixels = random.normal(128, 40, (48, 64, 3))
    if label == "fake":
        pixels[::2] += 15
    path = Path(label) / f"{number}.png"
    (folder / artifacts.RAW_MEDIA / path.parent).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / artifacts.RAW_MEDIA / path)
    return path.as_posix()


def _write_clip(folder: Path, picture: str, label: str) -> str:
    path = f"{label}/clip.mp4"
    source = ["-f", "lavfi", "-i", f"{picture}=size=96x64:rate=8", "-t", "3", "-pix_fmt", "yuv420p"]
    subprocess.run([ffmpeg_executable(), "-v", "error", *source, str(folder / artifacts.RAW_MEDIA / path)], check=True)
    return path


def _write_training(folder: Path, params: Params, splits: pd.DataFrame) -> None:
    """Write the outputs of the stage ``train``, with random weights in the whole network."""
    from realframe.models import detector_network

    size, train = params.clean.size, params.train
    model, weights = detector_network.create_detector(train.backbone, train.weights, size, train.head, params.seed, get_settings())
    kernel, bias = model.get_layer(detector_network.SCORE).get_weights()
    head = np.random.default_rng(0).normal(size=kernel.shape)
    model.get_layer(detector_network.SCORE).set_weights([head, bias])
    (folder / artifacts.MODEL).parent.mkdir()
    model.save(folder / artifacts.MODEL)
    history = {"phase": [1, 1], "epoch": [1, 2], "loss": [0.7, 0.6], "auc": [0.5, 0.6], "val_loss": [0.7, 0.65], "val_auc": [0.5, 0.6]}
    history |= {"accuracy": [0.5, 0.6], "val_accuracy": [0.5, 0.6]}
    history["learning_rate"] = [1e-3, 1e-3]
    pd.DataFrame(history).to_csv(folder / artifacts.HISTORY, index=False)
    record = {
        "recipe": params.recipe,
        "backbone": train.backbone,
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "best": {"phase": 1, "epoch": 2, "val_loss": 0.65},
        "seconds": 1.0,
        "dataset": manifest.compute_dataset_digest(splits),
        "tuned": {},
    }
    write_text(folder / artifacts.TRAINING, json.dumps(record))
    audit = {"image": {"items": 36, "real": 18, "fake": 18, "note": "too few items"}}
    shortcuts = {
        "kinds": audit,
        "limit": params.shortcuts.limit,
        "passed": True,
        "allowed": False,
        "harmonize": params.harmonize.model_dump(mode="json"),
    }
    write_text(folder / artifacts.SHORTCUTS, json.dumps(shortcuts))
