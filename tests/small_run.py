"""A small run's folder up to the training, made by the real parts: media files, their shards, the tables, a model of random weights."""

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
from realframe import settings as settings_module
from realframe.config import Params, Resolved, resolve
from realframe.data import manifest
from realframe.files import sha256_of, write_text
from realframe.media.clean import QualityRow, clean
from realframe.media.extract import extract
from realframe.media.ffmpeg import executable
from realframe.media.probe import probe
from realframe.settings import Settings, get_settings
from tests.pilot import ROOT

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
PER_CELL = 6  # images of each class in each split


@dataclass(frozen=True)
class Small:
    """A small run.

    Attributes:
        folder: where its stages run.
        run: its parameters.
        splits: its items.
        settings: of a checkout of its own.
    """

    folder: Path
    params: Params
    splits: pd.DataFrame
    settings: Settings

    def stage(self, name: str, params: Params | None = None) -> None:
        """Run a stage in this process, with other parameters where they are given."""
        Resolved(params=params or self.params, origin={}).save(self.folder / artifacts.RESOLVED)
        module = import_module(f"pipelines.{name}")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(module, "get_settings", lambda: self.settings)
            patch.setattr(settings_module, "configure_tensorflow", lambda threads, seed: None)  # TensorFlow is at work here already
            module.main()


def make(folder: Path, **changed: Any) -> Small:
    """Write a small run and extract its features."""
    run, splits = write(folder, **changed)
    made = Small(folder, run, splits, Settings(root=folder, home=folder / "state", workers=2))
    made.stage("extract_features")
    return made


def write(folder: Path, **changed: Any) -> tuple[Params, pd.DataFrame]:
    """Write what the stages up to ``train`` leave in ``folder``, but for the features; return the parameters and the split table."""
    resolved = resolve(ROOT / "params.yaml", ROOT / "recipes", recipe="scratch", overrides=SHRUNK | changed)
    (folder / artifacts.RESOLVED).parent.mkdir(parents=True)
    resolved.save(folder / artifacts.RESOLVED)
    splits, quality = _tables(folder, resolved.params)
    quality.to_parquet(folder / artifacts.QUALITY, index=False)
    manifest.write(splits, folder / artifacts.SPLITS, manifest.SPLITS)
    _write_training(folder, resolved.params, splits)
    return resolved.params, splits


def _tables(folder: Path, params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    items, quality = [], []
    for file, said in _media(folder):
        item, rows = _taken_in(folder, file, said, params)
        items.append(item)
        quality += rows
    return pd.DataFrame(items).sort_values("media_id", ignore_index=True), pd.DataFrame([asdict(row) for row in quality])


def _media(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each file's path below data/raw, and what a person would know of it."""
    for number in range(3 * 2 * PER_CELL):
        label, split = ("real", "fake")[number % 2], ("train", "val", "test")[number // 2 % 3]
        generator = GENERATORS[number // 6 % 2] if label == "fake" else ""
        yield _photo(folder, number, label), {"label": label, "split": split, "generator": generator}
    for label, picture, generator in (("real", "mandelbrot", ""), ("fake", "testsrc2", "gamma")):
        yield _clip(folder, picture, label), {"label": label, "split": "test", "generator": generator}


def _taken_in(folder: Path, path: str, said: dict[str, str], params: Params) -> tuple[dict[str, Any], list[QualityRow]]:
    """Take a file through the code of the media stages; return its row, and those of its frames."""
    file = folder / artifacts.RAW / path
    facts, media_id = probe(file, params.limits), sha256_of(file)
    sampled = folder / artifacts.FRAMES / f"{media_id}.tar"
    extract(file, media_id, facts, params.extract, params.limits, sampled)
    quality = clean(sampled, params.clean, params.limits, folder / artifacts.CLEAN / f"{media_id}.tar")
    unknown = {"source": "", "group": "", "licence": "", "cluster": media_id, "repeat": 1, "weight": 1.0}
    return {"media_id": media_id, "path": path, **asdict(facts), **unknown, **said}, quality


def _photo(folder: Path, number: int, label: str) -> str:
    """Noise; the fake ones with a grid, as upsampling leaves it."""
    random = np.random.default_rng(number)
    pixels = random.normal(128, 40, (48, 64, 3))
    if label == "fake":
        pixels[::2] += 15
    path = Path(label) / f"{number}.png"
    (folder / artifacts.RAW / path.parent).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / artifacts.RAW / path)
    return path.as_posix()


def _clip(folder: Path, picture: str, label: str) -> str:
    path = f"{label}/clip.mp4"
    source = ["-f", "lavfi", "-i", f"{picture}=size=96x64:rate=8", "-t", "3", "-pix_fmt", "yuv420p"]
    subprocess.run([executable(), "-v", "error", *source, str(folder / artifacts.RAW / path)], check=True)
    return path


def _write_training(folder: Path, params: Params, splits: pd.DataFrame) -> None:
    """Write what the stage ``train`` leaves: here a network with random weights throughout, the head's too."""
    from realframe.models import detector_network

    size, train = params.clean.size, params.train
    model, weights = detector_network.open_backbone(train.backbone, train.weights, size, train.head, params.seed, get_settings())
    kernel, bias = model.get_layer(detector_network.SCORE).get_weights()
    head = np.random.default_rng(0).normal(size=kernel.shape)
    model.get_layer(detector_network.SCORE).set_weights([head, bias])
    (folder / artifacts.MODEL).parent.mkdir()
    model.save(folder / artifacts.MODEL)
    history = {"phase": [1, 1], "epoch": [1, 2], "loss": [0.7, 0.6], "auc": [0.5, 0.6], "val_loss": [0.7, 0.65], "val_auc": [0.5, 0.6]}
    pd.DataFrame(history).to_csv(folder / artifacts.HISTORY, index=False)
    record = {
        "recipe": params.recipe,
        "backbone": train.backbone,
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "best": {"phase": 1, "epoch": 2, "val_loss": 0.65},
        "seconds": 1.0,
        "dataset": manifest.dataset_version(splits),
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
