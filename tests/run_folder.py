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
SITES = 4
RUN_ID = "0" * 32
_FACTS = ["label", "kind", "generator", "source", "cluster"]


def media_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def make_media_table(items: int) -> pd.DataFrame:
    """Make real and fake images and videos in turn, each in a separate group; those of a class come from four sources."""
    return pd.DataFrame(
        {
            "media_id": media_id(number),
            "path": f"clips/{number}.mp4",
            "kind": ("image", "video")[number // 2 % 2],
            "label": ("real", "fake")[number % 2],
            "generator": "sd1.5" if number % 2 else "",
            "source": f"{('real', 'fake')[number % 2]} site {number // 4 % SITES}",
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
        artifacts.CROSS_SOURCE: tables.cross_source,
        artifacts.ROBUSTNESS: tables.robustness,
        artifacts.REGRESSION_SCORES: tables.regression,
    }
    (folder / artifacts.REPORTS).mkdir(exist_ok=True)
    for path, table in reports.items():
        assert table is not None
        table.to_parquet(folder / path, index=False)
    figures = compute_figures(tables, "mean", resamples=100, error=0.1, auc_limit=0.6, seed=0)
    write_text(folder / artifacts.METRICS, json.dumps(figures))


def set_verdicts(folder: Path, **abstentions: str) -> None:
    """Change ``reports/metrics.json``: no verdicts on a kind, with this code as the reason; with ``""`` verdicts outside of 0.3 to 0.7."""
    metrics = json.loads((folder / artifacts.METRICS).read_text())
    for kind, code in abstentions.items():
        reason = f"This detector gives no verdict on {kind}s: a test decided so." if code else ""
        rule = {"slope": 1.0, "intercept": 0.0, "band": {"low": 0.3, "high": 0.7, "error": 0.1, "requested_error": 0.1}}
        competence = {"is_competent": not code, "code": code, "reason": reason, "roc_auc_low": None if code else 0.8, "limit": 0.6}
        metrics["verdict"][kind] |= {**rule, "competence": competence}
    write_text(folder / artifacts.METRICS, json.dumps(metrics))


def make_evaluation_tables(splits: pd.DataFrame, quality: float, seed: int = 0) -> EvaluationTables:
    """Make the tables of an evaluation: the higher the quality, the better the scores, also on unseen generators.

    On unseen sources every detector is good enough to give verdicts, where the splits have enough items.
    """
    scored = splits[splits["split"] != "train"].reset_index(drop=True)
    noise = np.random.default_rng(seed).uniform(size=len(scored))
    fake = (scored["label"] == "fake").to_numpy()
    scored = scored.assign(index=0, score=quality * fake + (1 - quality) * noise, baseline_score=noise)
    test = scored[scored["split"] == "test"]
    compared = splits[splits["source"].isin(["real site 0", "real site 1"])]  # two sources, for the sake of time
    features = np.random.default_rng(seed).normal(size=(len(compared), 4))  # which do not tell them apart
    degraded = [("none", 0.0), ("jpeg", 30.0), ("blur", 2.0)]
    return EvaluationTables(
        predictions=scored[["media_id", *_FACTS, "split", "index", "score", "baseline_score"]],
        splits=splits,
        quality=pd.DataFrame({"media_id": splits["media_id"], "is_kept": True, "brightness": 120.0}),
        shortcuts={"passed": True, "allowed": False},
        held_out=scored.assign(held_out="sd1.5")[["held_out", "split", "media_id", *_FACTS, "score"]],
        cross_source=make_cross_source(splits, max(quality, 0.7), seed),
        features=pd.DataFrame({"media_id": compared["media_id"], "mean": list(features)}),
        robustness=pd.concat([test.assign(perturbation=name, level=level) for name, level in degraded])[
            ["media_id", "label", "kind", "cluster", "perturbation", "level", "score"]
        ],
        regression=test[["media_id", "label", "kind", "split", "score"]].head(0).assign(reason=""),
    )


def make_cross_source(splits: pd.DataFrame, quality: float, seed: int = 0) -> pd.DataFrame:
    """Make the scores of all items by detectors that did not know their source: the higher the quality, the better."""
    noise, fake = np.random.default_rng(seed).uniform(size=len(splits)), (splits["label"] == "fake").to_numpy()
    folds = splits["source"].str[-1].astype(int)
    return splits[["media_id", *_FACTS, "split"]].assign(fold=folds, score=quality * fake + (1 - quality) * noise)


def write_model(folder: Path, bias: float) -> None:
    """Write a real ``models/model.keras`` that gives every frame the same probability of fake, set by ``bias``."""
    write_pixel_model(folder, 0.0, bias)


def write_pixel_model(folder: Path, weight: float, bias: float, *, measures_detail: bool = False) -> None:
    """Write a real ``models/model.keras`` whose logit is linear in the brightness of a frame, or in its detail; both are in [0, 1].

    Args:
        folder: of the run.
        weight: of the brightness or the detail.
        bias: of the logit.
        measures_detail: go by the mean difference between neighboring pixels.
    """
    import keras

    from realframe.models.detector_network import POOLED

    frames = keras.Input((SIZE, SIZE, 3))
    values = keras.layers.Rescaling(1 / 255)(frames)
    if measures_detail:
        edge = keras.initializers.Constant(np.repeat([1.0, -1.0], 9).reshape(1, 2, 3, 3) / 3)
        values = keras.ops.abs(keras.layers.Conv2D(3, (1, 2), use_bias=False, kernel_initializer=edge)(values))
    pooled = keras.layers.GlobalAveragePooling2D(name=POOLED)(values)
    kernel, start = keras.initializers.Constant(weight / 3), keras.initializers.Constant(bias)
    model = keras.Model(frames, keras.layers.Dense(1, "sigmoid", kernel_initializer=kernel, bias_initializer=start)(pooled))
    (folder / artifacts.MODEL).parent.mkdir(parents=True, exist_ok=True)
    model.save(folder / artifacts.MODEL)
