"""``realframe evaluate`` replaces the evidence of a registered version, not its model."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.trained_checkout import TrainedCheckout

pytestmark = pytest.mark.timeout(900)


def test_a_version_is_evaluated_again_and_not_trained(trained_checkout: TrainedCheckout, tmp_path: Path) -> None:
    copy = trained_checkout.copy(tmp_path / "checkout")
    before, report = _model(copy), copy.root / ".realframe" / "reports" / "v1" / "report.html"
    page = report.read_text()
    printed = copy.run_module("realframe", "evaluate", "champion", "--no-leave-one-generator-out")
    assert "stage hold_out_generators: running" in printed
    assert "phase 1" not in printed  # nothing was trained
    assert printed.splitlines()[-3] == "not measured on unseen generators"
    assert printed.splitlines()[-1].startswith("gate of version 1: ")
    metrics = _metrics(copy)
    assert metrics["held_out"] is None
    assert metrics["test"] == _metrics(copy, "train_model")["test"]
    after = _model(copy)
    assert (after["version"], after["sha256"], after["commit"]) == (before["version"], before["sha256"], before["commit"])
    assert report.read_text() != page

    restored = copy.run_module("realframe", "evaluate", "1", "--leave-one-generator-out")
    assert re.search(r"without demo-\w+: ", restored)
    assert restored.splitlines()[-3].startswith("on unseen generators")
    assert _metrics(copy)["held_out"] == _metrics(copy, "train_model")["held_out"]
    assert not copy.git("worktree", "list").splitlines()[1:]


def _metrics(copy: TrainedCheckout, name: str = "evaluate") -> dict[str, Any]:
    newest = ("for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(refname)", f"refs/heads/runs/{name}-*")
    return dict(json.loads(copy.git("show", f"{copy.git(*newest)}:reports/metrics.json")))


def _model(copy: TrainedCheckout) -> dict[str, Any]:
    return dict(json.loads(copy.run_module("realframe", "lineage", "champion", "--json"))["model"])
