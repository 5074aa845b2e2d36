"""Train a head that scores clips, on the features of a frozen backbone. The validation split selects the epoch that is kept."""

import time

import keras
import numpy as np
import pandas as pd

from realframe.data.batches import EpochPlan, Gather, build_tf_dataset
from realframe.media.frame_sampling import sample_evenly
from realframe.models import detector_network, heads
from realframe.models.frame_features import FrameFeatures
from realframe.training import smote, training_phase
from realframe.training.training_job import TrainingJob, TrainingOutcome

_VALIDATION_BATCH = 16


def train_clip_head(model: keras.Model, job: TrainingJob) -> TrainingOutcome:
    """Train the clip head of an untrained detector in place."""
    start = time.monotonic()
    head = detector_network.get_clip_head(model)
    assert head is not None
    train, length = job.train, job.train.head.length
    clips = {split: build_clip_table(table) for split, table in job.frames.items()}
    heads.set_standardization(head, *_mean_and_variance(job.features, clips["train"]["media_id"]))
    synthetic = _make_synthetic_clips(clips["train"], job) if job.use_smote else []
    table = pd.concat([clips["train"], clips["train"].iloc[[item.base for item in synthetic]]], ignore_index=True)
    plan = EpochPlan(table, train.batch_size, job.features.views, train.phase1.min_steps, 2 * job.seed + 1)
    validation_plan = EpochPlan(clips["val"], _VALIDATION_BATCH, views=1, min_steps=1, seed=0)
    phase = training_phase.TrainingPhase(
        number=1,
        schedule=train.phase1,
        tail=head,
        plan=plan,
        training=build_tf_dataset(plan, _gather_sequences(job.features, clips["train"], length, synthetic)),
        validation=build_tf_dataset(validation_plan, _gather_sequences(job.features, clips["val"], length, [])),
        state_dir=job.state_dir / "phase1",
    )
    history = training_phase.run_phase(phase, train, job.listeners, float("inf"))
    return TrainingOutcome(history, training_phase.best_epoch(history), [], 0, time.monotonic() - start)


def build_clip_table(frames: pd.DataFrame) -> pd.DataFrame:
    """Return one row per item of a frame table: ``media_id``, ``label``, ``repeat``, and ``weight``, of mean 1 over an epoch."""
    grouped = frames.groupby("media_id", sort=False)
    table = grouped.agg(label=("label", "first"), repeat=("repeat", "first"), weight=("weight", "sum")).reset_index()
    table["weight"] *= table["repeat"].sum() / (table["weight"] * table["repeat"]).sum()
    return table


def subsample_sequence(features: np.ndarray, length: int) -> np.ndarray:
    """Return at most ``length`` evenly spaced rows of a clip's features (N, width): the input of the head."""
    return features[sample_evenly(range(len(features)), length)]


def _gather_sequences(features: FrameFeatures, clips: pd.DataFrame, length: int, synthetic: list[smote.SyntheticItem]) -> Gather:
    """Return a gather of padded sequences, float32 (B, length, width); the rows after those of ``clips`` are synthetic."""
    media_ids = clips["media_id"].tolist()

    def load_sequence(row: int, view: int) -> np.ndarray:
        if row < len(media_ids):
            return subsample_sequence(features.load_item(media_ids[row], view), length)
        item = synthetic[row - len(media_ids)]
        base, neighbor = load_sequence(item.base, view), load_sequence(item.neighbor, view)
        count = min(len(base), len(neighbor))
        base, neighbor = subsample_sequence(base, count), subsample_sequence(neighbor, count)
        return np.asarray(base + np.float32(item.share) * (neighbor - base))

    def gather(rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        padded = np.zeros((len(rows), length, features.width), np.float32)
        for index, (row, view) in enumerate(zip(rows.tolist(), views.tolist(), strict=True)):
            sequence = load_sequence(row, view)
            padded[index, : len(sequence)] = sequence
        return padded

    return gather


def _make_synthetic_clips(clips: pd.DataFrame, job: TrainingJob) -> list[smote.SyntheticItem]:
    return smote.make_synthetic_items(job.features.load_means(clips["media_id"]), clips["label"].to_numpy() == 1, job.seed)


def _mean_and_variance(features: FrameFeatures, media_ids: "pd.Series[str]") -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the variance of the features over the frames of all items, each float64 (width,), reading one item at a time."""
    count, total, squares = 0, np.zeros(features.width), np.zeros(features.width)
    for media_id in media_ids:
        values = features.load_item(media_id).astype(np.float64)
        count, total, squares = count + len(values), total + values.sum(axis=0), squares + (values**2).sum(axis=0)
    mean = total / count
    return mean, np.maximum(squares / count - mean**2, 0)
