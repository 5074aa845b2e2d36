"""The input and the result of a training, for frame heads and clip heads."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from realframe.config import TrainParams
from realframe.models.frame_features import FrameFeatures
from realframe.training.callbacks import EpochListener, EpochRow


@dataclass(frozen=True)
class TrainingJob:
    """The input of a training.

    Attributes:
        train: the section ``train`` of the parameters.
        seed: seed of the order of the frames and of their views.
        frames: the frame tables of ``train`` and ``val``.
        features: the pooled features of the untrained backbone.
        use_smote: add synthetic training items of the smaller class.
        cache_dir: the folder of caches.
        cache_limit_bytes: their size limit.
        state_dir: the folder of the state from which a killed training resumes.
        workers: number of threads.
        listeners: called with each epoch during training.
    """

    train: TrainParams
    seed: int
    frames: dict[str, pd.DataFrame]
    features: FrameFeatures
    use_smote: bool
    cache_dir: Path
    cache_limit_bytes: int
    state_dir: Path
    workers: int
    listeners: tuple[EpochListener, ...] = ()


@dataclass(frozen=True)
class TrainingOutcome:
    """The result of a training, in addition to the detector's new weights.

    Attributes:
        history: one row per epoch.
        best: the row of the epoch whose weights the detector has: that of the lowest validation loss of all phases.
        unfrozen: the layers of the backbone that were trained.
        computed_activations: number of activations that were computed, not cached; frames times views.
        seconds: wall clock of this process's part.
    """

    history: list[EpochRow]
    best: EpochRow
    unfrozen: list[str]
    computed_activations: int
    seconds: float
