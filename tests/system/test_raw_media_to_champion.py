"""The pipeline from raw media to champion: verdicts on unseen clips, lineage, report."""

import json
from pathlib import Path

import pytest

from tests.trained_checkout import TrainedCheckout

pytestmark = pytest.mark.timeout(900)


def test_the_champion_scores_unseen_clips_and_says_that_it_was_trained_on_rendered_media(trained_checkout: TrainedCheckout) -> None:
    answers = json.loads(trained_checkout.run_module("realframe", "detect", "--json", str(trained_checkout.unseen)))
    assert len(answers) == 2
    for answer in answers:
        assert (answer["verdict"], answer["abstention"]["code"]) == ("uncertain", "rendered-training")
        assert 0.01 <= answer["probability"] <= 0.99


def test_a_file_that_cannot_be_scored_has_a_reason(trained_checkout: TrainedCheckout, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("no film")
    answer = json.loads(trained_checkout.run_module("realframe", "detect", "--json", str(tmp_path / "broken.mp4"), status=1))[0]
    assert answer["verdict"] == "not scored"
    assert answer["code"] == "media.not-media"


def test_lineage_runs_both_ways(trained_checkout: TrainedCheckout) -> None:
    model = json.loads(trained_checkout.run_module("realframe", "lineage", "1", "--json"))
    seen = model["trained_on"][0]["media_id"]
    sightings = json.loads(trained_checkout.run_module("realframe", "lineage", seen, "--json"))
    assert "1" in json.dumps(sightings)
    assert model["model"]["dataset"] in json.dumps(sightings)


def test_the_index_is_rebuilt_from_the_manifests_alone(trained_checkout: TrainedCheckout) -> None:
    before = trained_checkout.run_module("realframe", "lineage", "1", "--json")
    first = trained_checkout.run_module("realframe", "metadata", "sync")
    assert trained_checkout.run_module("realframe", "metadata", "sync") == first
    assert trained_checkout.run_module("realframe", "lineage", "1", "--json") == before


def test_the_report_outlives_the_run(trained_checkout: TrainedCheckout) -> None:
    report = (trained_checkout.root / ".realframe" / "reports" / "v1" / "report.html").read_text()
    assert "data:image/png;base64" in report
