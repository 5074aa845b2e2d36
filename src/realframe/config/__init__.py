"""The parameters of a run: one strict, frozen model, resolved from params.yaml, a recipe and overrides.

To add a parameter: one line with a comment in ``params.yaml``, one field with its bounds in ``sections.py`` or ``frame_sections.py``, and
the key (or its section) under ``params`` of the stage in ``dvc.yaml`` that reads it.
"""

from realframe.config.frame_sections import (
    AugmentParams,
    CleanParams,
    Crop,
    ExtractParams,
    HarmonizeParams,
    Limits,
    Sampling,
)
from realframe.config.parameters import (
    Params,
    ResolvedParams,
    list_recipes,
    load_params,
    parse_overrides,
    parse_params,
    read_limits,
    resolve_params,
)
from realframe.config.search_space import TUNABLE, SearchRange, TuneParams, replace_train_values
from realframe.config.sections import (
    ActivationParams,
    BalanceParams,
    EvaluateParams,
    HeadKind,
    HeadParams,
    Phase1Params,
    Phase2Params,
    ReduceLrParams,
    ShortcutParams,
    SplitParams,
    TrainParams,
)
from realframe.config.yaml_files import flatten, get_mapping, parse_yaml_mapping, read_yaml

__all__ = [
    "TUNABLE",
    "ActivationParams",
    "AugmentParams",
    "BalanceParams",
    "CleanParams",
    "Crop",
    "EvaluateParams",
    "ExtractParams",
    "HarmonizeParams",
    "HeadKind",
    "HeadParams",
    "Limits",
    "Params",
    "Phase1Params",
    "Phase2Params",
    "ReduceLrParams",
    "ResolvedParams",
    "Sampling",
    "SearchRange",
    "ShortcutParams",
    "SplitParams",
    "TrainParams",
    "TuneParams",
    "flatten",
    "get_mapping",
    "list_recipes",
    "load_params",
    "parse_overrides",
    "parse_params",
    "parse_yaml_mapping",
    "read_limits",
    "read_yaml",
    "replace_train_values",
    "resolve_params",
]
