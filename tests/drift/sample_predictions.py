"""Make a training reference, and predictions with or without drift."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from realframe.models import frame_features
from realframe.store.user_documents import Prediction
from tests import run_folder

WIDTH = 12
START = datetime(2026, 3, 1, tzinfo=UTC)


def draw_scores(random: np.random.Generator, count: int, shift: float = 0.0) -> np.ndarray:
    """Scores between 0 and 1, higher by about ``shift``."""
    return np.clip(random.beta(2, 2, count) + shift, 0, 1)


def reference_table(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = pd.DataFrame({"media_id": [run_folder.media_id(number) for number in range(300)], "label": "real", "kind": "video"})
    rows["split"] = ["train"] * 180 + ["val"] * 120
    rows["score"] = draw_scores(random, 300)
    rows["features"] = list(random.normal(size=(300, WIDTH)).astype(np.float32))
    return rows


def make_predictions(count: int, *, first: int = 0, shift: float = 0.0, moved: float = 0.0, model: int = 1) -> list[Prediction]:
    """Predictions, ten minutes apart; ``shift`` moves their scores, ``moved`` their features."""
    random = np.random.default_rng([first, count])
    features = random.normal(moved, 1, (count, WIDTH)).astype(np.float32)
    return [
        Prediction(
            prediction_id=f"{model}-{run_folder.media_id(number)}",
            sha256=run_folder.media_id(number),
            file=f"{number}.mp4",
            kind="video",
            model=model,
            verdict="uncertain",
            probability=float(score),
            score=float(score),
            features=frame_features.encode_vector(vector),
            created=(START + timedelta(minutes=10 * number)).isoformat(timespec="milliseconds"),
        )
        for number, score, vector in zip(range(first, first + count), draw_scores(random, count, shift), features, strict=True)
    ]


def rules_text(**changes: object) -> str:
    rules = {
        "window": {"items": 50},
        "min_items": 20,
        "recent_windows": 5,
        "min_drifting_windows": 3,
        "max_psi": 0.25,
        "significance": 0.01,
    }
    return json.dumps(rules | changes)
