"""Make the parameters of a head: those of params.yaml, with the changes of a test."""

from pathlib import Path
from typing import Any

from realframe.config import HeadParams, read_yaml

_DEFAULTS = read_yaml(Path(__file__).parents[1] / "params.yaml")["train"]["head"]


def make_head_params(**changes: Any) -> HeadParams:
    return HeadParams.model_validate(_DEFAULTS | changes)
