"""Synthetic items and scored frames, for tests that need no model."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from realframe.evaluation.figures import EvaluationTables, compute_figures

ITEM_COLUMNS = ["media_id", "label", "kind", "generator", "source", "cluster", "split"]


def make_splits(items: int = 120, source: str = "camera") -> pd.DataFrame:
    """Return items of both classes, both kinds and two generators, each in its own cluster; one third per split."""
    rows = []
    for number in range(items):
        fake = number % 2 == 1
        rows.append(
            {
                "media_id": f"{number:064x}",
                "path": f"{'fake' if fake else 'real'}/{number}.mp4",
                "label": "fake" if fake else "real",
                "kind": ("image", "video")[number // 2 % 2],
                "generator": ("sora", "veo")[number // 4 % 2] if fake else "",
                "source": "" if fake else source,
                "cluster": f"c{number}",
                "width": 640,
                "height": (360, 720)[number // 8 % 2],
                "codec": ("h264", "vp9")[number // 2 % 4 // 3],
                "duration_s": (0.0, 6.0)[number // 2 % 2],
                "split": ("train", "val", "test")[number // 4 % 3],
                "licence": "CC-BY-4.0",
                "repeat": 1,
                "weight": 1.0,
            }
        )
    return pd.DataFrame(rows)


def make_predictions(splits: pd.DataFrame, model: float, baseline: float, seed: int = 0) -> pd.DataFrame:
    """Score the frames of val and test; ``model`` and ``baseline`` are the distances of the classes in standard deviations."""
    random = np.random.default_rng(seed)
    scored = splits[splits["split"] != "train"]
    frames = scored.loc[scored.index.repeat(np.where(scored["kind"] == "video", 3, 1)), ITEM_COLUMNS].reset_index(drop=True)
    side = np.where(frames["label"] == "fake", 0.5, -0.5)
    names = scored["media_id"]
    noise = {
        name: frames["media_id"].map(dict(zip(names, random.normal(size=len(names)), strict=True))) for name in ("score", "baseline_score")
    }
    separation = {"score": model, "baseline_score": baseline}
    logits = {name: separation[name] * side + noise[name] + 0.1 * random.normal(size=len(frames)) for name in separation}
    scores = {name: 1 / (1 + np.exp(-logit)) for name, logit in logits.items()}
    return frames.assign(index=frames.groupby("media_id").cumcount(), **scores)


def make_cross_source(splits: pd.DataFrame, distance: float = 2.0, sources: int = 4) -> pd.DataFrame:
    """Score all items as if each fold had left out one real and one AI-generated source; ``distance`` of the classes in deviations."""
    random, number = np.random.default_rng(0), splits.groupby("label").cumcount() // 2 % sources
    named = splits.assign(
        source=splits["label"] + " site " + number.astype(str),
        generator=np.where(splits["label"] == "fake", "model " + number.astype(str), ""),
    )
    logits = distance * np.where(splits["label"] == "fake", 0.5, -0.5) + random.normal(size=len(splits))
    return named[ITEM_COLUMNS].assign(fold=number, score=1 / (1 + np.exp(-logits)))


def make_metrics(predictions: pd.DataFrame, splits: pd.DataFrame, resamples: int = 100, seed: int = 0, **tables: Any) -> dict[str, Any]:
    """Compute the content of ``metrics.json``. ``quality`` has two frames per item, one of them kept."""
    quality = splits.loc[splits.index.repeat(2), ["media_id"]].assign(
        is_kept=[True, False] * len(splits), brightness=[90.0, 0.0] * len(splits)
    )
    defaults = {"quality": quality, "shortcuts": {"passed": True, "allowed": False}}
    return compute_figures(
        EvaluationTables(predictions, splits, **defaults | tables), "mean", resamples=resamples, error=0.1, auc_limit=0.6, seed=seed
    )


@pytest.fixture
def splits() -> pd.DataFrame:
    return make_splits()


@pytest.fixture
def good_predictions(splits: pd.DataFrame) -> pd.DataFrame:
    """Predictions of a detector that is better than its baseline."""
    return make_predictions(splits, model=2.5, baseline=1.0)


@pytest.fixture
def bad_predictions(splits: pd.DataFrame) -> pd.DataFrame:
    """Predictions of a detector that is worse than its baseline."""
    return make_predictions(splits, model=0.2, baseline=4.0)
