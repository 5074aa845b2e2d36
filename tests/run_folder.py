"""Write the outputs of a run with the real writers, for tests that read them."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from realframe import artifacts
from realframe.config import resolve_params
from realframe.data import manifest
from realframe.evaluation.figures import EvaluationTables, compute_figures
from realframe.files import write_text

ROOT = Path(__file__).resolve().parents[1]
SIZE = 32
RUN_ID = "0" * 32
_FACTS = ["label", "kind", "generator", "source", "cluster"]


def media_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def make_media_table(items: int) -> pd.DataFrame:
    """Make real and fake images and videos in turn, each in a separate group."""
    return pd.DataFrame(
        {
            "media_id": media_id(number),
            "path": f"clips/{number}.mp4",
            "kind": ("image", "video")[number // 2 % 2],
            "label": ("real", "fake")[number % 2],
            "generator": "sd1.5" if number % 2 else "",
            "source": "",
            "group": f"group {number}",
            "split": "",
            "licence": "CC-BY-4.0",
            "width": 64,
            "height": 48,
            "rotation": 0,
            "fps": 25.0,
            "variable_fps": False,
            "frames": 50,
            "duration_s": 2.0,
            "codec": "h264",
            "container": "mp4",
            "bytes": 1000 + number,
            "quantization": "",
            "jpeg_quality": 0,
            "metadata": "encoder",
        }
        for number in range(items)
    )


def make_split_table(media: pd.DataFrame) -> pd.DataFrame:
    """Put half of the items into train, a quarter each into val and test; the last two items are left out."""
    included = media.iloc[:-2].reset_index(drop=True)
    pattern = np.array(["train", "train", "train", "train", "val", "val", "test", "test"])
    return included.assign(split=pattern[np.arange(len(included)) % 8], cluster=included["group"], repeat=1, weight=1.0)


def write_dataset(folder: Path, items: int) -> pd.DataFrame:
    """Write ``data/media.parquet`` and ``data/splits.parquet``; return the latter."""
    media = make_media_table(items)
    splits = make_split_table(media)
    manifest.write(media, folder / artifacts.MEDIA, manifest.MEDIA_SCHEMA)
    manifest.write(splits, folder / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    return splits


def write_training(folder: Path, splits: pd.DataFrame, run_id: str = RUN_ID, quality: float = 0.5) -> None:
    """Write ``build/params.yaml``, ``models/training.json`` and the outputs of an evaluation; ``quality`` of the scores in [0, 1]."""
    (folder / artifacts.RESOLVED_PARAMS).parent.mkdir(parents=True, exist_ok=True)
    resolve_params(ROOT / "params.yaml", ROOT / "recipes", overrides={"clean.size": SIZE}).save(folder / artifacts.RESOLVED_PARAMS)
    training = {
        "run_id": run_id,
        "recipe": "efficientnetb0",
        "backbone": "efficientnetb0",
        "weights": {"name": "random", "sha256": ""},
        "unfrozen": [],
        "best": {"phase": 1, "epoch": 3, "val_loss": 0.5},
        "seconds": 12.5,
        "dataset": manifest.compute_dataset_digest(splits),
    }
    write_text(folder / artifacts.TRAINING, json.dumps(training))
    write_evaluation(folder, make_evaluation_tables(splits, quality))


def write_evaluation(folder: Path, tables: EvaluationTables) -> None:
    """Write ``reports/metrics.json`` and the tables that it is computed from."""
    reports = {
        artifacts.PREDICTIONS: tables.predictions,
        artifacts.HELD_OUT: tables.held_out,
        artifacts.ROBUSTNESS: tables.robustness,
        artifacts.REGRESSION_SCORES: tables.regression,
    }
    (folder / artifacts.REPORTS).mkdir(exist_ok=True)
    for path, table in reports.items():
        assert table is not None
        table.to_parquet(folder / path, index=False)
    figures = compute_figures(tables, "mean", resamples=100, error=0.1, seed=0)
    write_text(folder / artifacts.METRICS, json.dumps(figures))


def make_evaluation_tables(splits: pd.DataFrame, quality: float, seed: int = 0) -> EvaluationTables:
    """Make the tables of an evaluation: the higher the quality, the better the scores, also on unseen generators."""
    scored = splits[splits["split"] != "train"].reset_index(drop=True)
    noise = np.random.default_rng(seed).uniform(size=len(scored))
    fake = (scored["label"] == "fake").to_numpy()
    scored = scored.assign(index=0, score=quality * fake + (1 - quality) * noise, baseline_score=noise)
    test = scored[scored["split"] == "test"]
    degraded = [("none", 0.0), ("jpeg", 30.0), ("blur", 2.0)]
    return EvaluationTables(
        predictions=scored[["media_id", *_FACTS, "split", "index", "score", "baseline_score"]],
        splits=splits,
        quality=pd.DataFrame({"media_id": splits["media_id"], "is_kept": True, "brightness": 120.0}),
        shortcuts={"passed": True, "allowed": False},
        held_out=scored.assign(held_out="sd1.5")[["held_out", "split", "media_id", *_FACTS, "score"]],
        robustness=pd.concat([test.assign(perturbation=name, level=level) for name, level in degraded])[
            ["media_id", "label", "kind", "cluster", "perturbation", "level", "score"]
        ],
        regression=test[["media_id", "label", "kind", "split", "score"]].head(0).assign(reason=""),
    )


def write_model(folder: Path, bias: float) -> None:
    """Write a real ``models/model.keras`` that gives every frame the same probability of fake, set by ``bias``."""
    import keras

    from realframe.models.detector_network import POOLED

    frames = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D(name=POOLED)(keras.layers.Rescaling(1 / 255)(frames))
    start = keras.initializers.Constant(bias)
    model = keras.Model(frames, keras.layers.Dense(1, "sigmoid", kernel_initializer="zeros", bias_initializer=start)(pooled))
    (folder / artifacts.MODEL).parent.mkdir(parents=True, exist_ok=True)
    model.save(folder / artifacts.MODEL)
