"""Scored frames of made-up items, for tests that need no model."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from realframe.evaluation.figures import Tables, assemble

COLUMNS = ["media_id", "label", "kind", "generator", "source", "cluster", "split"]


def split_table(items: int = 120, source: str = "camera") -> pd.DataFrame:
    """Items in turn real and fake, images and videos, of two generators, each in a cluster of its own; a third to each split."""
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


def predictions(splits: pd.DataFrame, model: float, baseline: float, seed: int = 0) -> pd.DataFrame:
    """Score the frames of val and test; ``model`` and ``baseline`` say by how many standard deviations the classes lie apart."""
    random = np.random.default_rng(seed)
    scored = splits[splits["split"] != "train"]
    frames = scored.loc[scored.index.repeat(np.where(scored["kind"] == "video", 3, 1)), COLUMNS].reset_index(drop=True)
    side = np.where(frames["label"] == "fake", 0.5, -0.5)
    names = scored["media_id"]
    noise = {
        name: frames["media_id"].map(dict(zip(names, random.normal(size=len(names)), strict=True))) for name in ("score", "baseline_score")
    }
    apart = {"score": model, "baseline_score": baseline}
    squashed = {name: 1 / (1 + np.exp(-(apart[name] * side + noise[name] + 0.1 * random.normal(size=len(frames))))) for name in apart}
    return frames.assign(index=frames.groupby("media_id").cumcount(), **squashed)


def evidence_of(predictions: pd.DataFrame, splits: pd.DataFrame, resamples: int = 100, seed: int = 0, **tables: Any) -> dict[str, Any]:
    """What ``metrics.json`` says of them; two frames of each item were looked at, one of them was kept."""
    quality = splits.loc[splits.index.repeat(2), ["media_id"]].assign(
        kept=[True, False] * len(splits), brightness=[90.0, 0.0] * len(splits)
    )
    usual = {"quality": quality, "shortcuts": {"passed": True, "allowed": False}}
    return assemble(Tables(predictions, splits, **usual | tables), "mean", resamples=resamples, error=0.1, seed=seed)


@pytest.fixture
def splits() -> pd.DataFrame:
    return split_table()


@pytest.fixture
def good(splits: pd.DataFrame) -> pd.DataFrame:
    """Predictions of a detector that is better than its baseline."""
    return predictions(splits, model=2.5, baseline=1.0)


@pytest.fixture
def bad(splits: pd.DataFrame) -> pd.DataFrame:
    """Predictions of a detector that is worse than its baseline."""
    return predictions(splits, model=0.2, baseline=4.0)
