"""Training of a head that scores clips, on the features of a frozen backbone. Validation alone chooses what is kept."""

import time

import keras
import numpy as np
import pandas as pd

from realframe.data.batches import EpochPlan, Gather, stream
from realframe.media.frame_sampling import evenly
from realframe.models import detector_network, heads
from realframe.models.frame_features import Features
from realframe.training import smote
from realframe.training import training_phase as phases
from realframe.training.training_job import Job, Outcome

_VALIDATION_BATCH = 16


def fit(model: keras.Model, job: Job) -> Outcome:
    """Train the clip head of an untrained detector in place."""
    began = time.monotonic()
    head = detector_network.clip_head(model)
    assert head is not None
    train, length = job.train, job.train.head.length
    clips = {split: clip_table(table) for split, table in job.frames.items()}
    heads.standardize(head, *_moments(job.features, clips["train"]["media_id"]))
    between = _synthetic(clips["train"], job) if job.smote else []
    shown = pd.concat([clips["train"], clips["train"].iloc[[item.base for item in between]]], ignore_index=True)
    plan = EpochPlan(shown, train.batch_size, job.features.views, train.phase1.min_steps, 2 * job.seed + 1)
    check = EpochPlan(clips["val"], _VALIDATION_BATCH, views=1, min_steps=1, seed=0)
    phase = phases.Phase(
        number=1,
        schedule=train.phase1,
        tail=head,
        plan=plan,
        training=stream(plan, _sequences(job.features, clips["train"], length, between)),
        validation=stream(check, _sequences(job.features, clips["val"], length, [])),
        folder=job.folder / "phase1",
    )
    history = phases.run(phase, train, job.listeners, float("inf"))
    return Outcome(history, phases.best_of(history), [], 0, time.monotonic() - began)


def clip_table(frames: pd.DataFrame) -> pd.DataFrame:
    """Return one row per item of a frame table: ``media_id``, ``label``, ``repeat``, and ``weight``, of mean 1 over all showings."""
    grouped = frames.groupby("media_id", sort=False)
    table = grouped.agg(label=("label", "first"), repeat=("repeat", "first"), weight=("weight", "sum")).reset_index()
    table["weight"] *= table["repeat"].sum() / (table["weight"] * table["repeat"]).sum()
    return table


def sequence(features: np.ndarray, length: int) -> np.ndarray:
    """Return what the head sees of a clip's features (N, width): at most ``length`` of them, evenly spaced."""
    return features[evenly(range(len(features)), length)]


def _sequences(features: Features, clips: pd.DataFrame, length: int, between: list[smote.Between]) -> Gather:
    """Return what gives padded sequences, float32 (B, length, width); rows beyond those of ``clips`` are synthetic."""
    media_ids = clips["media_id"].tolist()

    def one(row: int, view: int) -> np.ndarray:
        if row < len(media_ids):
            return sequence(features.of(media_ids[row], view), length)
        item = between[row - len(media_ids)]
        base, other = one(item.base, view), one(item.neighbour, view)
        count = min(len(base), len(other))
        base, other = sequence(base, count), sequence(other, count)
        return np.asarray(base + np.float32(item.share) * (other - base))

    def gathered(rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        padded = np.zeros((len(rows), length, features.width), np.float32)
        for place, (row, view) in enumerate(zip(rows.tolist(), views.tolist(), strict=True)):
            values = one(row, view)
            padded[place, : len(values)] = values
        return padded

    return gathered


def _synthetic(clips: pd.DataFrame, job: Job) -> list[smote.Between]:
    return smote.synthetic_items(job.features.means(clips["media_id"]), clips["label"].to_numpy() == 1, job.seed)


def _moments(features: Features, media_ids: "pd.Series[str]") -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the variance of the features over the frames of all items, each float64 (width,), one item at a time."""
    count, total, squares = 0, np.zeros(features.width), np.zeros(features.width)
    for media_id in media_ids:
        values = features.of(media_id).astype(np.float64)
        count, total, squares = count + len(values), total + values.sum(axis=0), squares + (values**2).sum(axis=0)
    mean = total / count
    return mean, np.maximum(squares / count - mean**2, 0)
