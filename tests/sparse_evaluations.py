"""Evaluations of small and one-sided datasets as a Hypothesis strategy: what a small or an easy dataset leaves empty."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from realframe.evaluation.figures import EvaluationTables, compute_figures
from realframe.models.aggregate import Aggregate, aggregate_by_item

_SCORED = ["media_id", "label", "kind", "generator", "source", "cluster", "split"]
_DEGRADED = [("none", 0.0), ("jpeg", 90.0), ("jpeg", 30.0), ("blur", 2.0), ("h264", 28.0)]
_KINDS = [("image",), ("video",), ("image", "video")]
_GENERATORS = [("",), ("sora",), ("sora", "veo"), ("", "sora", "veo")]
_SOURCES = [("",), ("camera",), ("", "camera", "phone")]
_QUALITIES = ["perfect", "certain", "constant", "inverted", "random"]


@dataclass(frozen=True)
class SparseEvaluation:
    """The tables of an evaluation, and what they were aggregated with.

    Attributes:
        tables: the input of ``compute_figures``.
        aggregate: of the frame scores.
        per_frame: whether frames are scored; otherwise each item is one clip.
    """

    tables: EvaluationTables
    aggregate: Aggregate
    per_frame: bool

    @property
    def test_frames(self) -> pd.DataFrame:
        """The predictions of the test split."""
        return self.tables.predictions[self.tables.predictions["split"] == "test"]

    @property
    def test_items(self) -> pd.DataFrame:
        """The item table of the test split."""
        return aggregate_by_item(self.test_frames, self.aggregate)

    def compute_metrics(self) -> dict[str, Any]:
        """Return the content of ``reports/metrics.json``."""
        identity = {"recipe": "efficientnetb0", "backbone": "efficientnetb0", "weights": "imagenet", "dataset": "0123456789ab"}
        figures = compute_figures(self.tables, self.aggregate, resamples=20, error=0.1, auc_limit=0.6, seed=0, per_frame=self.per_frame)
        return {**identity, **figures}


@st.composite
def sparse_evaluations(draw: st.DrawFn) -> SparseEvaluation:
    """Draw an evaluation of a few items; each split has an item of each class, as the stage ``split_dataset`` ensures."""
    random = np.random.default_rng(draw(st.integers(0, 99)))
    splits = _draw_splits(draw)
    per_frame = draw(st.booleans())
    quality, baseline = draw(st.sampled_from(_QUALITIES)), draw(st.sampled_from(_QUALITIES))
    scored = splits[splits["split"] != "train"]
    counts = np.where((scored["kind"] == "video") & per_frame, draw(st.integers(1, 3)), 1)
    frames = scored.loc[scored.index.repeat(counts), _SCORED].reset_index(drop=True)
    frames = frames.assign(
        index=frames.groupby("media_id").cumcount(),
        score=_make_scores(frames, quality, random),
        baseline_score=_make_scores(frames, baseline, random),
    )
    tables = EvaluationTables(
        predictions=frames,
        splits=splits,
        quality=pd.DataFrame({"media_id": splits["media_id"], "is_kept": True, "brightness": 90.0}),
        shortcuts=draw(_shortcuts()),
        held_out=draw(st.sampled_from([None, "empty", "scored"]).map(lambda state: _make_held_out(splits, state, random))),
        cross_source=draw(st.sampled_from([None, "empty", "scored"]).map(lambda state: _make_cross_source(splits, state, random))),
        robustness=_draw_robustness(draw, splits, random),
        regression=draw(st.sampled_from([None, "empty", "unscored", "scored"]).map(lambda state: _make_regression(splits, state, random))),
    )
    return SparseEvaluation(tables, draw(st.sampled_from(["mean", "median", "top_k", "confident"])), per_frame)


def _draw_splits(draw: st.DrawFn) -> pd.DataFrame:
    kinds, generators, sources = (draw(st.sampled_from(choices)) for choices in (_KINDS, _GENERATORS, _SOURCES))
    is_one_cluster = draw(st.booleans())
    rows: list[dict[str, Any]] = []
    for split in ("train", "val", "test"):
        for label in ("real", "fake"):
            for place in range(draw(st.sampled_from([1, 1, 2, 6]))):
                number, kind = len(rows), draw(st.sampled_from(kinds)) if place == 0 else kinds[place % len(kinds)]
                fake, video = label == "fake", kind == "video"
                rows.append(
                    {
                        "media_id": f"{number:064x}",
                        "path": f"{label}/{number}.{'mp4' if video else 'png'}",
                        "label": label,
                        "kind": kind,
                        "generator": generators[place % len(generators)] if fake else "",
                        "source": sources[place % len(sources)],
                        "cluster": f"{split} {label}" if is_one_cluster else f"c{number}",
                        "split": split,
                        "width": 640,
                        "height": 360,
                        "codec": "h264" if video else "",
                        "duration_s": 6.0 if video else 0.0,
                        "licence": "",
                        "repeat": 1,
                        "weight": 1.0,
                    }
                )
    return pd.DataFrame(rows)


def _make_scores(rows: pd.DataFrame, quality: str, random: np.random.Generator) -> np.ndarray:
    fake = (rows["label"] == "fake").to_numpy().astype(float)
    noise = random.uniform(size=len(rows))
    return {
        "perfect": 0.7 * fake + 0.2 * noise,
        "certain": fake,
        "constant": np.full(len(rows), 0.5),
        "inverted": 0.7 * (1 - fake) + 0.2 * noise,
        "random": noise,
    }[quality]


@st.composite
def _shortcuts(draw: st.DrawFn) -> dict[str, Any]:
    counts = {"items": 2, "real": 1, "fake": 1}
    audits = [
        counts | {"note": "too few items for a cross-validation: each class needs at least two groups"},
        counts | {"folds": 2, "classifier": "random forest", "balanced_accuracy": 1.0, "low": None, "high": None, "facts": {"bytes": 1.0}},
    ]
    passed = draw(st.booleans())
    kinds = {kind: draw(st.sampled_from(audits)) for kind in draw(st.sampled_from(_KINDS))}
    return {"kinds": kinds, "limit": 0.7, "passed": passed, "allowed": not passed, "harmonize": {}}


def _make_held_out(splits: pd.DataFrame, state: str | None, random: np.random.Generator) -> pd.DataFrame | None:
    """Make the scores without each generator that has an item; ``empty`` stands for a run in which no generator could be held out."""
    if state is None:
        return None
    chosen = splits[splits["split"] != "train"]
    names = sorted(set(chosen.loc[chosen["split"] == "test", "generator"]) - {""}) if state == "scored" else []
    parts = [chosen[chosen["generator"].isin(("", name))].assign(held_out=name) for name in names]
    rows = pd.concat([*parts, chosen.assign(held_out="").head(0)], ignore_index=True)
    return rows.assign(score=random.uniform(size=len(rows)))


def _make_cross_source(splits: pd.DataFrame, state: str | None, random: np.random.Generator) -> pd.DataFrame | None:
    """Make the scores of items whose sources were left out; ``empty`` stands for a run without folds."""
    if state is None:
        return None
    rows = splits[_SCORED] if state == "scored" else splits[_SCORED].head(0)
    sources, folds = (random.integers(0, most, len(rows)) for most in (8, 3))
    return rows.assign(source=[f"site {number}" for number in sources], fold=folds, score=random.uniform(size=len(rows)).round(1))


def _draw_robustness(draw: st.DrawFn, splits: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame | None:
    """Draw the scores of perturbed test items; items whose perturbation failed are missing, up to all of them."""
    test = splits[splits["split"] == "test"]
    measured = draw(st.sampled_from([None, test.head(0), test.head(1), test[test["label"] == "real"], test]))
    if measured is None:
        return None
    parts = [measured[(measured["kind"] == "video") | (name != "h264")].assign(perturbation=name, level=level) for name, level in _DEGRADED]
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(score=random.uniform(size=len(rows)))


def _make_regression(splits: pd.DataFrame, state: str | None, random: np.random.Generator) -> pd.DataFrame | None:
    if state is None:
        return None
    rows = splits.head(0 if state == "empty" else 3)[["media_id", "label", "kind", "split"]]
    is_scored = np.arange(len(rows)) < (2 if state == "scored" else 0)
    scores = np.where(is_scored, random.uniform(size=len(rows)), np.nan)
    return rows.assign(score=scores, reason=np.where(is_scored, "", "it cannot be read"))
