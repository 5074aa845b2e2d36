"""A registered version evaluated anew: its evidence changes, its model does not."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pilot import Pilot

pytestmark = pytest.mark.timeout(900)


def test_a_version_is_evaluated_anew_and_not_trained(pilot: Pilot, tmp_path: Path) -> None:
    place = pilot.copy(tmp_path / "checkout")
    before, report = _model(place), place.root / ".realframe" / "reports" / "v1" / "report.html"
    page = report.read_text()
    said = place.call("realframe", "evaluate", "champion", "--no-leave-one-generator-out")
    assert "stage hold_out_generators: running" in said
    assert "phase 1" not in said  # nothing was trained
    assert said.splitlines()[-1] == "not measured on unseen generators"
    metrics = _metrics(place)
    assert metrics["held_out"] is None
    assert metrics["test"] == _metrics(place, "train_model")["test"]
    after = _model(place)
    assert (after["version"], after["sha256"], after["commit"]) == (before["version"], before["sha256"], before["commit"])
    assert report.read_text() != page

    back = place.call("realframe", "evaluate", "1", "--leave-one-generator-out")
    assert re.search(r"without demo-\w+: ", back)
    assert back.splitlines()[-1].startswith("on unseen generators")
    assert _metrics(place)["held_out"] == _metrics(place, "train_model")["held_out"]
    assert not place.git("worktree", "list").splitlines()[1:]


def _metrics(place: Pilot, name: str = "evaluate") -> dict[str, Any]:
    newest = ("for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(refname)", f"refs/heads/runs/{name}-*")
    return dict(json.loads(place.git("show", f"{place.git(*newest)}:reports/metrics.json")))


def _model(place: Pilot) -> dict[str, Any]:
    return dict(json.loads(place.call("realframe", "lineage", "champion", "--json"))["model"])
