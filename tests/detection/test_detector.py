"""The detector scores a file as the pipeline scored its shard, and gives the reason where it cannot score a file."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.special import expit, logit

from realframe import artifacts
from realframe.cli.detect_run import list_media_files
from realframe.detection import loaded_model
from realframe.detection.confidence import VerdictRule
from realframe.detection.detector import Detector
from realframe.errors import RegistryError
from realframe.files import compute_sha256
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import Detection
from tests.detection.conftest import EvaluatedRun


@pytest.fixture(scope="module")
def detector(evaluated_run: EvaluatedRun) -> Detector:
    return Detector.load(str(evaluated_run.folder))


def test_a_file_scores_as_its_shard_did(evaluated_run: EvaluatedRun, detector: Detector) -> None:
    predictions = pd.read_parquet(evaluated_run.folder / artifacts.PREDICTIONS)
    tested = evaluated_run.splits[evaluated_run.splits["split"] == "test"]
    for item in pd.concat([tested[tested["kind"] == "video"], tested[tested["kind"] == "image"].head(3)]).itertuples():
        expected = predictions.loc[predictions["media_id"] == item.media_id, "score"]
        detection = detector.detect(evaluated_run.media_path(item)).detection
        np.testing.assert_allclose([frame.score for frame in detection.frames], expected, atol=1e-5)
        assert detection.score == pytest.approx(expected.mean(), abs=1e-5)
        assert detection.facts is not None
        assert (detection.facts.kind, detection.sha256, detection.code) == (item.kind, item.media_id, "")


def test_the_probability_is_the_score_calibrated_as_in_the_evaluation(evaluated_run: EvaluatedRun, detector: Detector) -> None:
    for item in evaluated_run.splits.head(4).itertuples():
        rule, detection = evaluated_run.metrics["verdict"][item.kind], detector.detect(evaluated_run.media_path(item)).detection
        expected = np.clip(expit(rule["slope"] * logit(detection.score) + rule["intercept"]), 0.01, 0.99)
        assert detection.probability == pytest.approx(expected, abs=1e-9)


def test_features_are_for_storing_and_not_for_json(evaluated_run: EvaluatedRun, detector: Detector) -> None:
    detection = detector.detect(evaluated_run.media_path(next(evaluated_run.splits.itertuples())))
    assert detection.features is not None
    assert detection.features.shape == (json.loads((evaluated_run.folder / artifacts.FEATURES / "features.json").read_text())["width"],)
    assert "features" not in detection.detection.model_dump()


def test_the_rule_is_that_of_the_evaluation(evaluated_run: EvaluatedRun, detector: Detector) -> None:
    assert detector.loaded.rule == VerdictRule.from_evaluation(evaluated_run.metrics, "the run")
    assert detector.loaded.rule.threshold == evaluated_run.metrics["threshold"]


def test_a_kind_of_too_few_sources_is_uncertain_with_the_reason(evaluated_run: EvaluatedRun, detector: Detector) -> None:
    for kind in ("image", "video"):
        item = next(evaluated_run.splits[evaluated_run.splits["kind"] == kind].itertuples())
        detection = detector.detect(evaluated_run.media_path(item)).detection
        assert detection.verdict == "uncertain"
        assert detection.abstention is not None
        assert detection.abstention.code == "too-few-sources"
        assert f"no verdict on {kind}s" in detection.abstention.reason
        assert detection.probability is not None
        assert detection.band is not None


@pytest.mark.parametrize(
    ("below", "above", "verdict"), [(0.1, 0.2, "real"), (-0.2, -0.1, "ai-generated"), (-0.1, 0.1, "uncertain"), (0.0, 0.0, "uncertain")]
)
def test_the_verdict_follows_from_the_band(
    evaluated_run: EvaluatedRun, detector: Detector, below: float, above: float, verdict: str
) -> None:
    """The band lies above the probability, below it, around it or at it; the kind is judged."""
    item = next(evaluated_run.splits.itertuples())
    file = evaluated_run.media_path(item)
    probability = detector.detect(file).detection.probability
    assert probability is not None
    band = UncertaintyBand(probability + below, probability + above, 0.1)
    rule = detector.loaded.rule
    of_kind = rule.for_kind(str(item.kind))
    judged = replace(of_kind, rule=replace(of_kind.rule, band=band), abstention=None)
    other = Detector(replace(detector.loaded, rule=replace(rule, kinds={str(item.kind): judged})))
    detection = other.detect(file).detection
    assert (detection.verdict, detection.band, detection.abstention) == (verdict, band, None)


def test_a_model_that_was_evaluated_before_rules_per_kind_is_refused(evaluated_run: EvaluatedRun, tmp_path: Path) -> None:
    shutil.copytree(evaluated_run.folder, tmp_path / "old")
    metrics = evaluated_run.metrics
    del metrics["verdict"]
    (tmp_path / "old" / artifacts.METRICS).write_text(json.dumps(metrics))
    with pytest.raises(RegistryError, match="without a rule for the verdict on each kind"):
        Detector.load(str(tmp_path / "old"))


def test_frames_have_their_times(evaluated_run: EvaluatedRun, detector: Detector) -> None:
    clip = next(evaluated_run.splits[evaluated_run.splits["kind"] == "video"].itertuples())
    assert [frame.time_s for frame in detector.detect(evaluated_run.media_path(clip)).detection.frames] == pytest.approx([0, 1, 2])


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("empty.mp4", b"", "media.empty"), ("evil.mp4", b"ffconcat version 1.0\nfile other.mp4\n", "media.not-media")],
)
def test_a_file_that_cannot_be_scored_has_the_reason(tmp_path: Path, detector: Detector, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    detection = detector.detect(tmp_path / name, "a name").detection
    assert (detection.verdict, detection.code, detection.probability, detection.score, detection.frames) == (
        "not scored",
        code,
        None,
        None,
        (),
    )
    assert detection.message.startswith("a name: ")
    assert str(tmp_path) not in detection.message


def test_a_truncated_video_and_a_blank_picture_are_not_scored(evaluated_run: EvaluatedRun, tmp_path: Path, detector: Detector) -> None:
    clip = evaluated_run.media_path(next(evaluated_run.splits[evaluated_run.splits["kind"] == "video"].itertuples())).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(clip[: len(clip) // 2])
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "blank.png")
    assert detector.detect(tmp_path / "cut.mp4").detection.code == "media.undecodable"
    assert detector.detect(tmp_path / "blank.png").detection.code == "media.no-usable-frame"


def test_limits_are_those_of_the_machine_and_not_of_the_version(
    evaluated_run: EvaluatedRun, tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = evaluated_run.media_path(next(evaluated_run.splits.itertuples()))
    expected = detector.detect(file).detection
    monkeypatch.setattr(loaded_model, "get_settings", lambda: Settings(root=tmp_path))
    for limits, overrides, code in (
        ("{max_pixels: 100}", "{}", "media.limit-exceeded"),
        ("{max_pixels: 100}", "{limits.max_pixels: 50_000_000}", ""),
        ("{max_bytes: 10}", "{}", "media.limit-exceeded"),
        ("{}", "{}", ""),
    ):
        (tmp_path / "params.yaml").write_text(f"limits: {limits}\noverrides: {overrides}\n")
        loaded = Detector.load(str(evaluated_run.folder))
        detection = loaded.detect(file).detection
        assert detection.code == code
        assert loaded.loaded.answer_key == detector.loaded.answer_key
        assert detection.score == (None if code else expected.score)
        assert not code or "in params.yaml" in detection.message


def test_without_a_version_the_error_says_how_to_train_one(empty_registry: Path) -> None:
    with pytest.raises(RegistryError, match="Train one on your own files: `realframe ingest PATH`, then `realframe run`"):
        Detector.load()
    with pytest.raises(RegistryError, match="nonsense"):
        Detector.load("nonsense")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="neither an evaluated model nor an exported detector"):
        Detector.load(str(tmp_path))


def test_the_champion_is_the_model_that_was_registered(evaluated_run: EvaluatedRun, detector: Detector, empty_registry: Path) -> None:
    number = model_registry.register_folder(evaluated_run.folder, commit="c" * 40)
    model_registry.set_alias(model_registry.CHAMPION, number)
    file = evaluated_run.media_path(next(evaluated_run.splits.itertuples()))
    expected = detector.detect(file).detection
    for which in ("champion", "challenger", str(number)):
        detection = Detector.load(which).detect(file).detection
        assert detection.probability == pytest.approx(expected.probability, abs=1e-6)
        assert detection.probability != detection.score
        assert (detection.threshold, detection.band, detection.model) == (expected.threshold, expected.band, str(number))
    _tamper(model_registry.get_version(number))
    with pytest.raises(RegistryError, match="differs from the registered one"):
        Detector.load("champion")


def _tamper(version: model_registry.ModelVersion) -> None:
    home = Path(mlflow.get_experiment_by_name("realframe").artifact_location.removeprefix("file://"))
    for file in home.rglob("*.keras"):  # the tests before have registered it too
        if compute_sha256(file) == version.sha256:
            file.write_bytes(file.read_bytes() + b"x")


def test_a_detection_survives_json(evaluated_run: EvaluatedRun, detector: Detector) -> None:
    detection = detector.detect(evaluated_run.media_path(next(evaluated_run.splits.itertuples()))).detection
    assert Detection.model_validate_json(detection.model_dump_json()) == detection
    assert set(detection.seconds) == {"probing", "decoding", "scoring"}
    assert detection.provenance is not None
    assert detection.interval is not None
    assert detection.probability is not None
    assert detection.interval.low <= detection.probability <= detection.interval.high


def test_progress_is_reported(evaluated_run: EvaluatedRun, detector: Detector) -> None:
    clip = evaluated_run.media_path(next(evaluated_run.splits[evaluated_run.splits["kind"] == "video"].itertuples()))
    reports: list[tuple[str, int, int]] = []
    detector.detect(clip, on_progress=lambda *progress: reports.append(progress))
    steps = [step for step, _, _ in reports]
    assert steps == sorted(steps, key=["probing", "decoding", "scoring"].index)
    for step in ("decoding", "scoring"):
        assert [progress for progress in reports if progress[0] == step][-1] == (step, 3, 3)


def test_the_same_file_gets_the_same_result(evaluated_run: EvaluatedRun, detector: Detector) -> None:
    clip = evaluated_run.media_path(next(evaluated_run.splits[evaluated_run.splits["kind"] == "video"].itertuples()))
    first, second = (detector.detect(clip).detection.model_copy(update={"seconds": {}}) for _ in range(2))
    assert first == second


def test_only_regular_files_are_read(tmp_path: Path, detector: Detector) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", tmp_path, tmp_path / "missing.mp4"):
        detection = detector.detect(path).detection
        assert (detection.code, detection.sha256) == ("media.unreadable", "")


def test_folders_give_each_media_file_once(evaluated_run: EvaluatedRun, tmp_path: Path) -> None:
    shutil.copytree(evaluated_run.folder / artifacts.RAW_MEDIA / "fake", tmp_path / "in")
    (tmp_path / "in" / ".hidden.png").touch()
    (tmp_path / "in" / "README.md").touch()
    clip = tmp_path / "in" / "clip.mp4"
    files = list_media_files([clip, tmp_path / "in"])
    assert files[0] == clip
    assert len(files) == len(set(files)) == 19
