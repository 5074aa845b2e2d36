"""The parameters of a run: one strict, frozen model of what params.yaml, a recipe and overrides say together."""

from bonafide.params.keys import leaves, read_yaml
from bonafide.params.model import Params
from bonafide.params.resolving import Resolved, load, loads, names, read_settings, resolve
from bonafide.params.search import TUNABLE, Range, Tune, with_values
from bonafide.params.sections import (
    Activations,
    Augment,
    Balance,
    Clean,
    Cure,
    Evaluate,
    Extract,
    Head,
    HeadKind,
    Limits,
    Phase1,
    Phase2,
    ReduceLr,
    Sampling,
    Shortcuts,
    Split,
    Train,
)

__all__ = [
    "TUNABLE",
    "Activations",
    "Augment",
    "Balance",
    "Clean",
    "Cure",
    "Evaluate",
    "Extract",
    "Head",
    "HeadKind",
    "Limits",
    "Params",
    "Phase1",
    "Phase2",
    "Range",
    "ReduceLr",
    "Resolved",
    "Sampling",
    "Shortcuts",
    "Split",
    "Train",
    "Tune",
    "leaves",
    "load",
    "loads",
    "names",
    "read_settings",
    "read_yaml",
    "resolve",
    "with_values",
]
