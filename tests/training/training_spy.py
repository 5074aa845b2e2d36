"""Make parameters of a clip training and reduced frame tables, and record the data of each training phase."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from realframe.config import Params
from realframe.training import training_phase
from realframe.training.callbacks import EpochRow


def make_clip_params(tiny: Params, method: str = "none", **sections: object) -> Params:
    """The tiny parameters for a head that scores clips, with other values of ``train``, by section."""
    values = tiny.model_dump(exclude_none=True)
    values["balance"] = {"kinds": ["video"], "method": method}
    train = values["train"]
    train["head"] |= {"kind": "lstm", "length": 2, "units": 8}
    train["phase1"] |= {"min_steps": 1, "learning_rate": 3e-2}
    train["phase2"] |= {"unfreeze_last": 0}
    for name, value in sections.items():
        train[name] = {**train[name], **value} if isinstance(value, dict) else value
    return Params.model_validate(values)


def drop_items(frames: dict[str, pd.DataFrame], label: int, items: int) -> dict[str, pd.DataFrame]:
    """Frame tables whose training split lacks the first items of a class."""
    train = frames["train"]
    dropped = train.loc[train["label"] == label, "media_id"].unique()[:items]
    return {**frames, "train": train[~train["media_id"].isin(dropped)].reset_index(drop=True)}


@dataclass
class PhaseRecorder:
    """The data of the phases of a training: the table of each, the inputs of one epoch by row, and the labels of the validation."""

    tables: list[pd.DataFrame] = field(default_factory=list)
    inputs: list[dict[int, np.ndarray]] = field(default_factory=list)
    validation_labels: list[np.ndarray] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "PhaseRecorder":
        """Record each phase before it runs."""
        run_phase = training_phase.run_phase

        def record_and_run(phase: training_phase.TrainingPhase, *rest: object) -> list[EpochRow]:
            rows = np.concatenate([rows for rows, _ in phase.plan.batches()])
            values = np.concatenate([inputs for inputs, _, _ in phase.training.as_numpy_iterator()])
            self.tables.append(phase.plan.table)
            self.inputs.append(dict(zip(rows.tolist(), values, strict=True)))
            self.validation_labels.append(np.concatenate([labels for _, labels, _ in phase.validation.as_numpy_iterator()])[:, 0])
            return run_phase(phase, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(training_phase, "run_phase", record_and_run)
        return self
