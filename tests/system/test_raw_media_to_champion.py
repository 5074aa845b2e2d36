"""The main job as a user sees it: what the champion says of clips it never saw, and where it comes from."""

import json
from pathlib import Path

import pytest

from tests.pilot import Pilot

pytestmark = pytest.mark.timeout(900)


def test_the_champion_answers(pilot: Pilot) -> None:
    answers = json.loads(pilot.call("realframe", "detect", "--json", str(pilot.unseen)))
    assert len(answers) == 2
    for answer in answers:
        assert answer["verdict"] in ("real", "ai-generated", "uncertain")
        assert 0 <= answer["probability"] <= 1


def test_a_file_that_cannot_be_scored_says_why(pilot: Pilot, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("no film")
    answer = json.loads(pilot.call("realframe", "detect", "--json", str(tmp_path / "broken.mp4"), status=1))[0]
    assert answer["verdict"] == "not scored"
    assert answer["code"] == "media.not-media"


def test_lineage_runs_both_ways(pilot: Pilot) -> None:
    model = json.loads(pilot.call("realframe", "lineage", "1", "--json"))
    seen = model["trained_on"][0]["media_id"]
    sightings = json.loads(pilot.call("realframe", "lineage", seen, "--json"))
    assert "1" in json.dumps(sightings)
    assert model["model"]["dataset"] in json.dumps(sightings)


def test_the_index_is_rebuilt_from_the_manifests_alone(pilot: Pilot) -> None:
    before = pilot.call("realframe", "lineage", "1", "--json")
    first = pilot.call("realframe", "metadata", "sync")
    assert pilot.call("realframe", "metadata", "sync") == first
    assert pilot.call("realframe", "lineage", "1", "--json") == before


def test_the_report_outlives_the_run(pilot: Pilot) -> None:
    report = (pilot.root / ".realframe" / "reports" / "v1" / "report.html").read_text()
    assert "data:image/png;base64" in report
