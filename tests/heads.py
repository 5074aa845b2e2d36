"""A head for tests: that of params.yaml, but for what a test names."""

from pathlib import Path
from typing import Any

from realframe.config import Head, read_yaml

_WRITTEN = read_yaml(Path(__file__).parents[1] / "params.yaml")["train"]["head"]


def head(**changed: Any) -> Head:
    return Head.model_validate(_WRITTEN | changed)
