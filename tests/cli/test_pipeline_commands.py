"""The commands of the pipeline: their output and their error messages."""

import subprocess
import sys
from pathlib import Path

from tests.trained_checkout import TrainedCheckout


def _realframe(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "realframe", *arguments], cwd=root, capture_output=True, text=True, check=False)


def test_params_prints_where_each_value_comes_from(root: Path) -> None:
    output = _realframe(root, "params", "-S", "recipe=scratch", "-S", "seed=7").stdout
    lines = {cells[0]: cells for line in output.splitlines() if len(cells := [c.strip() for c in line.strip("│ ").split("│")]) == 3}
    assert lines["train.backbone"][1:] == ["residual_cnn", "recipes/scratch.yaml"]
    assert lines["seed"][1:] == ["7", "overrides"]


def test_an_error_is_one_sentence_with_its_code_and_hint(root: Path) -> None:
    process = _realframe(root, "params", "-S", "train.bachbone=x")
    assert process.returncode == 1
    assert "params.invalid: train.bachbone" in process.stderr
    assert "Traceback" not in process.stderr


def test_run_refuses_an_unknown_dag(root: Path) -> None:
    process = _realframe(root, "run", "nonesuch")
    assert process.returncode == 1
    assert "prepare_data or train_model" in process.stderr


def test_doctor_lists_the_parts(trained_checkout: TrainedCheckout) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "realframe", "doctor"],
        cwd=trained_checkout.root,
        env=trained_checkout.env,
        capture_output=True,
        text=True,
        check=False,
    )
    for part in ("Python", "FFmpeg", "git", "metadata store", "weights", "data"):
        assert part in process.stdout
