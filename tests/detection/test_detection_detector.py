"""The detector scores a file as the pipeline scored its shard, and says why it can't score another."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.special import expit, logit

from bonafide import artefacts
from bonafide.detection.detection import Rule
from bonafide.detection.detector import Detector
from bonafide.detection.files import files_in
from bonafide.errors import RegistryError
from bonafide.evaluation.predict import load_model
from bonafide.files import sha256_of
from bonafide.statistics.conformal import Band
from bonafide.tracking import registry


@pytest.fixture(scope="module")
def detector(evaluated: Any) -> Detector:
    return Detector.load(str(evaluated.folder))


def test_a_file_scores_as_its_shard_did(evaluated: Any, detector: Detector) -> None:
    predictions = pd.read_parquet(evaluated.folder / artefacts.PREDICTIONS)
    tested = evaluated.splits[evaluated.splits["split"] == "test"]
    for item in pd.concat([tested[tested["kind"] == "video"], tested[tested["kind"] == "image"].head(3)]).itertuples():
        expected = predictions.loc[predictions["media_id"] == item.media_id, "score"]
        found = detector.detect(evaluated.file(item))
        np.testing.assert_allclose([frame.score for frame in found.frames], expected, atol=1e-5)
        assert found.score == pytest.approx(expected.mean(), abs=1e-5)
        assert (found.kind, found.code) == (item.kind, "")


def test_the_probability_is_the_score_calibrated_as_in_the_evaluation(evaluated: Any, detector: Detector) -> None:
    temperature = evaluated.metrics["temperature"]
    assert temperature != 1
    for item in evaluated.splits.head(4).itertuples():
        found = detector.detect(evaluated.file(item))
        assert found.probability == pytest.approx(expit(logit(found.score) / temperature), abs=1e-9)


def test_features_are_for_storing_and_not_for_json(evaluated: Any, detector: Detector) -> None:
    found = detector.detect(evaluated.file(next(evaluated.splits.itertuples())))
    assert found.features is not None
    assert found.features.shape == (json.loads((evaluated.folder / artefacts.FEATURES / "features.json").read_text())["width"],)
    assert "features" not in found.as_dict()


def test_rule_and_band_are_those_of_the_evaluation(evaluated: Any, detector: Detector) -> None:
    metrics = evaluated.metrics
    band = Band(metrics["band"]["low"], metrics["band"]["high"], metrics["band"]["error"])
    assert detector.rule == Rule(metrics["threshold"], metrics["temperature"], band)


@pytest.mark.parametrize(
    ("below", "above", "verdict"), [(0.1, 0.2, "real"), (-0.2, -0.1, "ai-generated"), (-0.1, 0.1, "uncertain"), (0.0, 0.0, "uncertain")]
)
def test_the_verdict_is_that_of_the_band(evaluated: Any, detector: Detector, below: float, above: float, verdict: str) -> None:
    """The band lies above the probability, below it, around it or at it."""
    file = evaluated.file(next(evaluated.splits.itertuples()))
    said = detector.detect(file).probability
    assert said is not None
    band = Band(said + below, said + above, 0.1)
    other = Detector(load_model(evaluated.folder / artefacts.MODEL), detector._run, "mean", replace(detector.rule, band=band), "x")
    found = other.detect(file)
    assert (found.verdict, found.band) == (verdict, band)


def test_a_model_that_was_evaluated_before_bands_is_refused(evaluated: Any, tmp_path: Path) -> None:
    shutil.copytree(evaluated.folder, tmp_path / "old")
    metrics = evaluated.metrics
    del metrics["band"]
    (tmp_path / "old" / artefacts.METRICS).write_text(json.dumps(metrics))
    with pytest.raises(RegistryError, match="uncertain"):
        Detector.load(str(tmp_path / "old"))


def test_frames_carry_their_times(evaluated: Any, detector: Detector) -> None:
    clip = next(evaluated.splits[evaluated.splits["kind"] == "video"].itertuples())
    assert [frame.time_s for frame in detector.detect(evaluated.file(clip)).frames] == pytest.approx([0, 1, 2])


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("empty.mp4", b"", "media.empty"), ("evil.mp4", b"ffconcat version 1.0\nfile other.mp4\n", "media.not-media")],
)
def test_what_can_t_be_scored_says_why(tmp_path: Path, detector: Detector, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    found = detector.detect(tmp_path / name)
    assert (found.verdict, found.code, found.probability, found.score, found.frames) == ("not scored", code, None, None, ())
    assert name in found.message


def test_a_truncated_video_and_a_blank_picture_are_not_scored(evaluated: Any, tmp_path: Path, detector: Detector) -> None:
    clip = evaluated.file(next(evaluated.splits[evaluated.splits["kind"] == "video"].itertuples())).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(clip[: len(clip) // 2])
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "blank.png")
    assert detector.detect(tmp_path / "cut.mp4").code == "media.undecodable"
    assert detector.detect(tmp_path / "blank.png").code == "media.no-usable-frame"


def test_without_a_champion_it_says_how_to_approve_one(empty_registry: Path) -> None:
    with pytest.raises(RegistryError, match="registry approve"):
        Detector.load()
    with pytest.raises(RegistryError, match="nonsense"):
        Detector.load("nonsense")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no evaluated model"):
        Detector.load(str(tmp_path))


def test_the_champion_is_the_model_that_was_registered(evaluated: Any, detector: Detector, empty_registry: Path) -> None:
    number = registry.register_folder(evaluated.folder, commit="c" * 40)
    registry.set_alias(registry.CHAMPION, number)
    file = evaluated.file(next(evaluated.splits.itertuples()))
    expected = detector.detect(file)
    for which in ("champion", "challenger", str(number)):
        found = Detector.load(which).detect(file)
        assert found.probability == pytest.approx(expected.probability, abs=1e-6)
        assert found.probability != found.score
        assert (found.threshold, found.band, found.model) == (expected.threshold, expected.band, str(number))
    _tamper(registry.get(number))
    with pytest.raises(RegistryError, match="not the one that was registered"):
        Detector.load("champion")


def _tamper(version: registry.ModelVersion) -> None:
    home = Path(mlflow.get_experiment_by_name("bonafide").artifact_location.removeprefix("file://"))
    file = next(file for file in home.rglob("*.keras") if sha256_of(file) == version.sha256)
    file.write_bytes(file.read_bytes() + b"x")


def test_a_detection_is_json(evaluated: Any, detector: Detector) -> None:
    said = json.loads(json.dumps(detector.detect(evaluated.file(next(evaluated.splits.itertuples()))).as_dict()))
    words = "path verdict probability score band threshold looked_at frames model seconds kind code message"
    assert set(said) == set(words.split())
    assert set(said["band"]) == {"low", "high", "error"}
    assert set(said["frames"][0]) == {"time_s", "score"}
    assert set(said["seconds"]) == {"decode", "score"}


def test_folders_give_their_media_each_once(evaluated: Any, tmp_path: Path) -> None:
    shutil.copytree(evaluated.folder / artefacts.RAW / "fake", tmp_path / "in")
    (tmp_path / "in" / ".hidden.png").touch()
    (tmp_path / "in" / "README.md").touch()
    clip = tmp_path / "in" / "clip.mp4"
    found = files_in([clip, tmp_path / "in"])
    assert found[0] == clip
    assert len(found) == len(set(found)) == 19
