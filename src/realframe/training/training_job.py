"""What a training is given and what it gives, whichever head learns."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from realframe.config import Train
from realframe.models.frame_features import Features
from realframe.training.callbacks import Listener, Row


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        train: how the detector learns.
        seed: of the order of the frames and of their views.
        frames: the tables of the ``train`` and the ``val`` frames.
        features: the pooled features of the untrained backbone.
        smote: the smaller class gets synthetic training items.
        cache: the folder of caches.
        folder: where the state is kept from which a killed training goes on.
        workers: threads.
        listeners: told of each epoch while it runs.
    """

    train: Train
    seed: int
    frames: dict[str, pd.DataFrame]
    features: Features
    smote: bool
    cache: Path
    folder: Path
    workers: int
    listeners: tuple[Listener, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a training gave, beside the detector's new weights.

    Attributes:
        history: one row per epoch.
        best: the row of the epoch whose weights the detector has: the lowest validation loss of all phases.
        unfrozen: the layers of the backbone that learned.
        computed: activations that were computed, not found; frames times views.
        seconds: wall clock of this process's part.
    """

    history: list[Row]
    best: Row
    unfrozen: list[str]
    computed: int
    seconds: float
