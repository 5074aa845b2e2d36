"""Parameters of a training on clips, and a way to see what a training is shown."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from realframe.config import Params
from realframe.training import training_phase as phases


def of_clips(tiny: Params, method: str = "none", **sections: object) -> Params:
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


def without(frames: dict[str, pd.DataFrame], label: int, items: int) -> dict[str, pd.DataFrame]:
    """Frame tables whose training split lacks the first items of a class."""
    train = frames["train"]
    gone = train.loc[train["label"] == label, "media_id"].unique()[:items]
    return {**frames, "train": train[~train["media_id"].isin(gone)].reset_index(drop=True)}


@dataclass
class Shown:
    """What the phases of a training show: the table of each, the inputs of one epoch by row, and the labels of the validation."""

    tables: list[pd.DataFrame] = field(default_factory=list)
    inputs: list[dict[int, np.ndarray]] = field(default_factory=list)
    checked: list[np.ndarray] = field(default_factory=list)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> "Shown":
        """Look at each phase before it runs."""
        run = phases.run

        def looked_at(phase: phases.Phase, *rest: object) -> list[phases.Row]:
            rows = np.concatenate([rows for rows, _ in phase.plan.batches()])
            values = np.concatenate([inputs for inputs, _, _ in phase.training.as_numpy_iterator()])
            self.tables.append(phase.plan.table)
            self.inputs.append(dict(zip(rows.tolist(), values, strict=True)))
            self.checked.append(np.concatenate([labels for _, labels, _ in phase.validation.as_numpy_iterator()])[:, 0])
            return run(phase, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(phases, "run", looked_at)
        return self
