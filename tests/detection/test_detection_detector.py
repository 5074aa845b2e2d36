"""The detector scores a file as the pipeline scored its shard, and says why it can't score another."""

import json
import os
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

from realframe import artifacts
from realframe.detection.batch import files_in
from realframe.detection.confidence import VerdictRule
from realframe.detection.detector import Detector
from realframe.errors import RegistryError
from realframe.files import sha256_of
from realframe.registry import model_registry
from realframe.statistics.conformal import Band
from realframe.store.detection_documents import Detection, Progress


@pytest.fixture(scope="module")
def detector(evaluated: Any) -> Detector:
    return Detector.load(str(evaluated.folder))


def test_a_file_scores_as_its_shard_did(evaluated: Any, detector: Detector) -> None:
    predictions = pd.read_parquet(evaluated.folder / artifacts.PREDICTIONS)
    tested = evaluated.splits[evaluated.splits["split"] == "test"]
    for item in pd.concat([tested[tested["kind"] == "video"], tested[tested["kind"] == "image"].head(3)]).itertuples():
        expected = predictions.loc[predictions["media_id"] == item.media_id, "score"]
        found = detector.detect(evaluated.file(item)).detection
        np.testing.assert_allclose([frame.score for frame in found.frames], expected, atol=1e-5)
        assert found.score == pytest.approx(expected.mean(), abs=1e-5)
        assert found.facts is not None
        assert (found.facts.kind, found.sha256, found.code) == (item.kind, item.media_id, "")


def test_the_probability_is_the_score_calibrated_as_in_the_evaluation(evaluated: Any, detector: Detector) -> None:
    temperature = evaluated.metrics["temperature"]
    assert temperature != 1
    for item in evaluated.splits.head(4).itertuples():
        found = detector.detect(evaluated.file(item)).detection
        assert found.probability == pytest.approx(expit(logit(found.score) / temperature), abs=1e-9)


def test_features_are_for_storing_and_not_for_json(evaluated: Any, detector: Detector) -> None:
    found = detector.detect(evaluated.file(next(evaluated.splits.itertuples())))
    assert found.features is not None
    assert found.features.shape == (json.loads((evaluated.folder / artifacts.FEATURES / "features.json").read_text())["width"],)
    assert "features" not in found.detection.model_dump()


def test_rule_and_band_are_those_of_the_evaluation(evaluated: Any, detector: Detector) -> None:
    metrics = evaluated.metrics
    band = Band(metrics["band"]["low"], metrics["band"]["high"], metrics["band"]["error"])
    assert detector.loaded.rule == VerdictRule(metrics["threshold"], metrics["temperature"], band)


@pytest.mark.parametrize(
    ("below", "above", "verdict"), [(0.1, 0.2, "real"), (-0.2, -0.1, "ai-generated"), (-0.1, 0.1, "uncertain"), (0.0, 0.0, "uncertain")]
)
def test_the_verdict_is_that_of_the_band(evaluated: Any, detector: Detector, below: float, above: float, verdict: str) -> None:
    """The band lies above the probability, below it, around it or at it."""
    file = evaluated.file(next(evaluated.splits.itertuples()))
    said = detector.detect(file).detection.probability
    assert said is not None
    band = Band(said + below, said + above, 0.1)
    other = Detector(replace(detector.loaded, rule=replace(detector.loaded.rule, band=band)))
    found = other.detect(file).detection
    assert (found.verdict, found.band) == (verdict, band)


def test_a_model_that_was_evaluated_before_bands_is_refused(evaluated: Any, tmp_path: Path) -> None:
    shutil.copytree(evaluated.folder, tmp_path / "old")
    metrics = evaluated.metrics
    del metrics["band"]
    (tmp_path / "old" / artifacts.METRICS).write_text(json.dumps(metrics))
    with pytest.raises(RegistryError, match="uncertain"):
        Detector.load(str(tmp_path / "old"))


def test_frames_carry_their_times(evaluated: Any, detector: Detector) -> None:
    clip = next(evaluated.splits[evaluated.splits["kind"] == "video"].itertuples())
    assert [frame.time_s for frame in detector.detect(evaluated.file(clip)).detection.frames] == pytest.approx([0, 1, 2])


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("empty.mp4", b"", "media.empty"), ("evil.mp4", b"ffconcat version 1.0\nfile other.mp4\n", "media.not-media")],
)
def test_what_can_t_be_scored_says_why(tmp_path: Path, detector: Detector, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    found = detector.detect(tmp_path / name, "a name").detection
    assert (found.verdict, found.code, found.probability, found.score, found.frames) == ("not scored", code, None, None, ())
    assert found.message.startswith("a name: ")
    assert str(tmp_path) not in found.message


def test_a_truncated_video_and_a_blank_picture_are_not_scored(evaluated: Any, tmp_path: Path, detector: Detector) -> None:
    clip = evaluated.file(next(evaluated.splits[evaluated.splits["kind"] == "video"].itertuples())).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(clip[: len(clip) // 2])
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "blank.png")
    assert detector.detect(tmp_path / "cut.mp4").detection.code == "media.undecodable"
    assert detector.detect(tmp_path / "blank.png").detection.code == "media.no-usable-frame"


def test_without_a_champion_it_says_how_to_approve_one(empty_registry: Path) -> None:
    with pytest.raises(RegistryError, match="registry approve"):
        Detector.load()
    with pytest.raises(RegistryError, match="nonsense"):
        Detector.load("nonsense")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no evaluated model"):
        Detector.load(str(tmp_path))


def test_the_champion_is_the_model_that_was_registered(evaluated: Any, detector: Detector, empty_registry: Path) -> None:
    number = model_registry.register_folder(evaluated.folder, commit="c" * 40)
    model_registry.set_alias(model_registry.CHAMPION, number)
    file = evaluated.file(next(evaluated.splits.itertuples()))
    expected = detector.detect(file).detection
    for which in ("champion", "challenger", str(number)):
        found = Detector.load(which).detect(file).detection
        assert found.probability == pytest.approx(expected.probability, abs=1e-6)
        assert found.probability != found.score
        assert (found.threshold, found.band, found.model) == (expected.threshold, expected.band, str(number))
    _tamper(model_registry.get(number))
    with pytest.raises(RegistryError, match="not the one that was registered"):
        Detector.load("champion")


def _tamper(version: model_registry.ModelVersion) -> None:
    home = Path(mlflow.get_experiment_by_name("realframe").artifact_location.removeprefix("file://"))
    for file in home.rglob("*.keras"):  # the tests before have registered it too
        if sha256_of(file) == version.sha256:
            file.write_bytes(file.read_bytes() + b"x")


def test_a_detection_is_json_and_back(evaluated: Any, detector: Detector) -> None:
    said = detector.detect(evaluated.file(next(evaluated.splits.itertuples()))).detection
    assert Detection.model_validate_json(said.model_dump_json()) == said
    assert set(said.seconds) == {"probing", "decoding", "scoring"}
    assert said.provenance is not None
    assert said.interval is not None
    assert said.probability is not None
    assert said.interval.low <= said.probability <= said.interval.high


def test_it_tells_how_far_it_has_come(evaluated: Any, detector: Detector) -> None:
    clip = evaluated.file(next(evaluated.splits[evaluated.splits["kind"] == "video"].itertuples()))
    told: list[Progress] = []
    detector.detect(clip, report=told.append)
    steps = [progress.step for progress in told]
    assert steps == sorted(steps, key=["probing", "decoding", "scoring"].index)
    for step in ("decoding", "scoring"):
        last = [progress for progress in told if progress.step == step][-1]
        assert (last.count, last.of) == (3, 3)


def test_the_same_file_gets_the_same_answer(evaluated: Any, detector: Detector) -> None:
    clip = evaluated.file(next(evaluated.splits[evaluated.splits["kind"] == "video"].itertuples()))
    first, second = (detector.detect(clip).detection.model_copy(update={"seconds": {}}) for _ in range(2))
    assert first == second


def test_what_is_no_ordinary_file_is_not_read(tmp_path: Path, detector: Detector) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", tmp_path, tmp_path / "missing.mp4"):
        found = detector.detect(path).detection
        assert (found.code, found.sha256) == ("media.unreadable", "")


def test_a_version_without_a_reference_has_no_interval_and_no_domain(evaluated: Any, tmp_path: Path) -> None:
    shutil.copytree(evaluated.folder, tmp_path / "old")
    (tmp_path / "old" / artifacts.REFERENCE).unlink()
    found = Detector.load(str(tmp_path / "old")).detect(evaluated.file(next(evaluated.splits.itertuples()))).detection
    assert found.interval is None
    assert "domain.far" not in [caution.code for caution in found.cautions]


def test_folders_give_their_media_each_once(evaluated: Any, tmp_path: Path) -> None:
    shutil.copytree(evaluated.folder / artifacts.RAW / "fake", tmp_path / "in")
    (tmp_path / "in" / ".hidden.png").touch()
    (tmp_path / "in" / "README.md").touch()
    clip = tmp_path / "in" / "clip.mp4"
    found = files_in([clip, tmp_path / "in"])
    assert found[0] == clip
    assert len(found) == len(set(found)) == 19
