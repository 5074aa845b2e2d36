"""``doctor`` prints its table only: no messages of TensorFlow, CUDA or Keras, on neither stream."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.state_fixtures import embedded_uri

__all__ = ["embedded_uri"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
UNSET = ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES", "REALFRAME_WEIGHTS_DIR")
TABLE_LINE = re.compile("[\u2500-\u257f]")  # box drawing


def test_doctor_prints_its_table_only(root: Path, embedded_uri: str, tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    own = {"REALFRAME_ROOT": str(root), "REALFRAME_HOME": str(tmp_path / "state"), "MONGODB_URI": embedded_uri, "COLUMNS": "200"}
    no_network = {"KERAS_HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:9"}  # the weights are looked for, and not found
    command = [sys.executable, "-m", "realframe", "doctor"]
    done = subprocess.run(command, env={**inherited, **own, **no_network}, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "ImageNet weights of efficientnetb0" in done.stdout
    assert [line for line in done.stdout.splitlines() if not TABLE_LINE.match(line)] == []
