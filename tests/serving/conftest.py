"""A small evaluated run, made by the real parts: media files, their shards, a model, and what the stage ``evaluate`` writes."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bonafide import artefacts
from bonafide.dataset import manifest
from bonafide.files import sha256_of, write_text
from bonafide.media.clean import clean
from bonafide.media.extract import extract
from bonafide.media.ffmpeg import executable
from bonafide.media.probe import probe
from bonafide.params import Params, resolve
from bonafide.settings import get_settings
from tests.own_state import embedded_uri, empty_registry, settings

__all__ = ["embedded_uri", "empty_registry", "settings"]

_SHRUNK = {"clean.size": 32, "clean.duplicate_distance": -1, "evaluate.bootstrap": 200, "train.batch_size": 8}
_PER_CELL = 6  # images of each class in each split
_STAGE = """
import json, mlflow
from bonafide import artefacts
from bonafide.tracking import experiment
with mlflow.start_run(experiment_id=experiment.connect()) as run:
    record = json.loads(artefacts.TRAINING.read_text()) | {"run_id": run.info.run_id}
artefacts.TRAINING.write_text(json.dumps(record))
from pipelines.evaluate import main
main()
"""


@dataclass(frozen=True)
class Evaluated:
    """A folder in which the stage ``evaluate`` ran.

    Attributes:
        folder: the run's.
        splits: its items; their files lie in ``data/raw``.
        log: what the stage printed.
    """

    folder: Path
    splits: pd.DataFrame
    log: str

    def file(self, item: Any) -> Path:
        """The original of a row of ``splits``."""
        return self.folder / artefacts.RAW / str(item.path)

    @property
    def metrics(self) -> dict[str, Any]:
        metrics: dict[str, Any] = json.loads((self.folder / artefacts.METRICS).read_text())
        return metrics


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Evaluated:
    folder = tmp_path_factory.mktemp("run")
    resolved = resolve(root / "params.yaml", root / "recipes", recipe="scratch", overrides=_SHRUNK)
    (folder / artefacts.RESOLVED).parent.mkdir()
    resolved.save(folder / artefacts.RESOLVED)
    splits = _split_table(folder, resolved.params)
    manifest.write(splits, folder / artefacts.SPLITS, manifest.SPLITS)
    _write_training(folder, resolved.params, splits)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BONAFIDE_", "MLFLOW_"))}
    own = {"BONAFIDE_ROOT": str(folder), "BONAFIDE_HOME": str(folder / "state"), "BONAFIDE_WORKERS": "2", "PYTHONPATH": str(root)}
    for stage in (["-m", "pipelines.extract_features"], ["-c", _STAGE]):
        done = subprocess.run([sys.executable, *stage], cwd=folder, env=kept | own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return Evaluated(folder, splits, done.stderr)


def _split_table(folder: Path, run: Params) -> pd.DataFrame:
    rows = []
    for number in range(3 * 2 * _PER_CELL):
        label, split = ("real", "fake")[number % 2], ("train", "val", "test")[number // 2 % 3]
        rows.append(_item(folder, _photo(folder, number, label), label, split, run))
    for label, picture in (("real", "mandelbrot"), ("fake", "testsrc2")):
        rows.append(_item(folder, _clip(folder, picture, label), label, "test", run))
    return pd.DataFrame(rows).sort_values("media_id", ignore_index=True)


def _item(folder: Path, path: str, label: str, split: str, run: Params) -> dict[str, Any]:
    """Take a file through the code of the media stages and return its row."""
    file, sampled = folder / artefacts.RAW / path, folder / "sampled.tar"
    facts, media_id = probe(file, run.limits), sha256_of(file)
    extract(file, media_id, facts, run.extract, run.limits, sampled)
    clean(sampled, run.clean, run.limits, folder / artefacts.CLEAN / f"{media_id}.tar")
    said = {"generator": "tester" if label == "fake" else "", "source": "", "group": "", "split": split}
    return {"media_id": media_id, "path": path, "label": label, "cluster": media_id, "repeat": 1, "weight": 1.0, **asdict(facts), **said}


def _photo(folder: Path, number: int, label: str) -> str:
    """Noise; the fake ones with a grid, as upsampling leaves it."""
    random = np.random.default_rng(number)
    pixels = random.normal(128, 40, (48, 64, 3))
    if label == "fake":
        pixels[::2] += 15
    path = Path(label) / f"{number}.png"
    (folder / artefacts.RAW / path.parent).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / artefacts.RAW / path)
    return path.as_posix()


def _clip(folder: Path, picture: str, label: str) -> str:
    path = f"{label}/clip.mp4"
    source = ["-f", "lavfi", "-i", f"{picture}=size=96x64:rate=8", "-t", "3", "-pix_fmt", "yuv420p"]
    subprocess.run([executable(), "-v", "error", *source, str(folder / artefacts.RAW / path)], check=True)
    return path


def _write_training(folder: Path, run: Params, splits: pd.DataFrame) -> None:
    """Write what the stage ``train`` leaves: here a network with random weights throughout, the head's too."""
    from bonafide.models import detector

    size, train = run.clean.size, run.train
    model, weights = detector.open_backbone(train.backbone, train.weights, size, train.head, run.seed, get_settings())
    kernel, bias = model.get_layer(detector.SCORE).get_weights()
    head = np.random.default_rng(0).normal(size=kernel.shape)
    model.get_layer(detector.SCORE).set_weights([head, bias])
    (folder / artefacts.MODEL).parent.mkdir()
    model.save(folder / artefacts.MODEL)
    history = {"phase": [1, 1], "epoch": [1, 2], "loss": [0.7, 0.6], "auc": [0.5, 0.6], "val_loss": [0.7, 0.65], "val_auc": [0.5, 0.6]}
    pd.DataFrame(history).to_csv(folder / artefacts.HISTORY, index=False)
    record = {
        "recipe": run.recipe,
        "backbone": train.backbone,
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "best": {"phase": 1, "epoch": 2, "val_loss": 0.65},
        "seconds": 1.0,
        "dataset": manifest.dataset_version(splits),
    }
    write_text(folder / artefacts.TRAINING, json.dumps(record))
    write_text(folder / artefacts.SHORTCUTS, json.dumps({"image": {"items": 36, "real": 18, "fake": 18, "note": "too few items"}}))
