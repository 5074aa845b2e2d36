"""Everything that decides an answer is compared with what was registered and approved before a version answers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from realframe import artifacts
from realframe.cli import app
from realframe.config import read_yaml
from realframe.detection.detector import Detector
from realframe.errors import RegistryError
from realframe.governance import ledger
from realframe.registry import model_registry
from realframe.registry.detector_folder import compute_digest, read_run_folder
from realframe.settings import get_settings
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.repository import Store
from tests.detection.conftest import EvaluatedRun


@pytest.fixture
def run_copy(evaluated_run: EvaluatedRun, tmp_path: Path) -> Path:
    """A copy of the run, so that a test may change what it registers."""
    return shutil.copytree(evaluated_run.folder, tmp_path / "run", ignore=shutil.ignore_patterns("state"))


@pytest.fixture
def champion(run_copy: Path, empty_registry: Path, store: Store) -> Path:
    """The approved champion's folder, in a store of models of its own."""
    _use_own_artifact_folder(empty_registry)
    version = model_registry.get_version(model_registry.register_folder(run_copy, commit="c" * 40))
    facts = {"action": "approve", "version": version.version, "model_sha256": version.sha256, "reviewer": "Ada", "comment": ""}
    evidence = ledger.evidence_record(version, None)
    ledger.append_entry(store, lambda: ledger.Decision(**facts, evidence=evidence, channel="cli", authentication="os"))
    model_registry.set_alias(model_registry.CHAMPION, version.version)
    return Path(mlflow.artifacts.download_artifacts(version.uri))


def _use_own_artifact_folder(state: Path) -> None:
    """Log models into the state folder of the test; the database of the fixture names a folder that the tests of a session share."""
    from realframe.registry import mlflow_runs

    mlflow_runs.connect()  # first: a client keeps the address of the test before
    client = MlflowClient()
    client.rename_experiment(client.get_experiment_by_name(mlflow_runs.EXPERIMENT).experiment_id, "another")
    client.create_experiment(mlflow_runs.EXPERIMENT, artifact_location=(state / "mlartifacts").as_uri())


@pytest.fixture
def picture(evaluated_run: EvaluatedRun) -> Path:
    return evaluated_run.media_path(next(evaluated_run.splits[evaluated_run.splits["kind"] == "image"].itertuples()))


def _detect(picture: Path) -> dict[str, Any]:
    """Return the answer of the command, without what differs between two runs of it."""
    result = CliRunner().invoke(app, ["detect", "--json", str(picture)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (answer,) = json.loads(result.stdout)
    return {name: value for name, value in answer.items() if name != "seconds"}


def _edit_metadata(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Replace a value in ``MLmodel`` as an editor does; fails if the text is not there once."""

    def edit(folder: Path) -> None:
        text = (folder / "MLmodel").read_text()
        assert text.count(old) >= 1, (name, old)
        (folder / "MLmodel").write_text(text.replace(old, new, 1))

    edit.__name__ = name
    return edit


def _band(folder: Path) -> None:
    """Widen the band of `real` up to 0.98, so that an AI-generated file at 0.97 becomes real."""
    lines = (folder / "MLmodel").read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if line.strip() == "band:")
    indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())] + "  "
    end = next(index for index in range(start + 1, len(lines)) if not lines[index].startswith(indent))
    changed = [indent + "error: 0.1", indent + "high: 0.99", indent + "low: 0.98", indent + "requested_error: 0.1"]
    (folder / "MLmodel").write_text("\n".join([*lines[: start + 1], *changed, *lines[end:]]) + "\n")


def _number(key: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        lines = (folder / "MLmodel").read_text().splitlines()
        index, *_ = [index for index, line in enumerate(lines) if line.strip().startswith(f"{key}:")]
        lines[index] = f"{lines[index].partition(':')[0]}: 0.123"
        (folder / "MLmodel").write_text("\n".join(lines) + "\n")

    edit.__name__ = key
    return edit


def _append(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes() + b"x")

    edit.__name__ = name
    return edit


def _damage(folder: Path) -> None:
    (folder / "MLmodel").write_text("metadata: [")


EDITS: list[Callable[[Path], None]] = [
    _band,
    _number("threshold"),
    _number("intercept"),
    _edit_metadata("is_competent", "is_competent: false", "is_competent: true"),
    _edit_metadata("aggregate", "aggregate: mean", "aggregate: max"),
    _edit_metadata("params", "fps: 1.0", "fps: 2.0"),
    _append("data/model.keras"),
    _damage,
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
def test_a_changed_file_gives_no_answer_and_the_right_one_after_it_is_restored(
    edit: Callable[[Path], None], champion: Path, picture: Path, tmp_path: Path
) -> None:
    original = shutil.copytree(champion, tmp_path / "original")
    edit(champion)
    for _ in range(2):  # nothing of the changed version is cached
        with pytest.raises(RegistryError, match=r"version 1: its .* was changed after registration"):
            _detect(picture)
    with pytest.raises(RegistryError, match="was changed after registration"):
        Detector.load("champion")
    shutil.copytree(original, champion, dirs_exist_ok=True)
    answer = _detect(picture)
    assert answer == _detect(picture)
    edit(champion)
    with pytest.raises(RegistryError, match="was changed after registration"):
        _detect(picture)  # although its answer is cached


def test_the_restored_version_answers_as_before(champion: Path, picture: Path, tmp_path: Path) -> None:
    before, original = _detect(picture), shutil.copytree(champion, tmp_path / "original")
    _band(champion)
    with pytest.raises(RegistryError):
        _detect(picture)
    shutil.copytree(original, champion, dirs_exist_ok=True)
    assert _detect(picture) == before


def test_a_changed_file_and_a_changed_tag_differ_from_the_approval(champion: Path, picture: Path) -> None:
    """Somebody who changes the band and the digest in MLflow is found by the ledger."""
    _band(champion)
    metadata = read_yaml(champion / "MLmodel")["metadata"]["realframe"]
    digest = compute_digest(metadata, metadata["files"])
    MlflowClient().set_model_version_tag(model_registry.NAME, "1", "realframe.answer_digest", digest)
    with pytest.raises(RegistryError, match="what decides its answers differs from what ledger entry 1 was about: approve"):
        _detect(picture)


def _decide(store: Store, action: str, **evidence: Any) -> None:
    version = model_registry.get_version(1)
    facts = {"action": action, "version": 1, "model_sha256": version.sha256, "reviewer": "Ada", "comment": ""}
    record = ledger.evidence_record(version, None) | evidence
    ledger.append_entry(store, lambda: ledger.Decision(**facts, evidence=record, channel="cli", authentication="os"))


def test_a_kind_is_judged_from_the_decision_on_and_only_as_long_as_it_holds(champion: Path, picture: Path, store: Store) -> None:
    """Answers that were cached before the decision are not used after it, nor the other way round."""
    before = _detect(picture)
    assert (before["verdict"], before["abstention"]["code"]) == ("uncertain", "too-few-sources")
    _decide(store, "approve", judged_kinds={"image": "a trial on our own pictures"})
    judged = _detect(picture)
    assert judged["abstention"] is None
    (caution,) = [caution for caution in judged["cautions"] if caution["code"] == "competence.overridden"]
    assert "a trial on our own pictures" in caution["message"] and before["abstention"]["reason"] in caution["message"]
    band = UncertaintyBand(**judged["band"])
    assert judged["verdict"] == band.verdict(judged["probability"])
    assert (judged["probability"], judged["band"]) == (before["probability"], before["band"])
    _decide(store, "rollback")
    assert _detect(picture) == judged
    _decide(store, "approve", judged_kinds={"video": "another kind"})
    assert _detect(picture) == before
    _decide(store, "approve", judged_kinds={"image": "another reason"})
    assert "another reason" in json.dumps(_detect(picture))
    _decide(store, "reject")
    assert _detect(picture) == before


def test_without_the_ledger_no_incompetent_kind_is_judged(
    champion: Path, picture: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _detect(picture)
    _decide(store, "approve", judged_kinds={"image": "a trial"})
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200")
    get_settings.cache_clear()
    detection = Detector.load("champion").detect(picture).detection
    assert (detection.verdict, detection.abstention and detection.abstention.reason) == ("uncertain", before["abstention"]["reason"])


@pytest.mark.parametrize("name", ["MLmodel", "data/model.keras"])
def test_a_missing_file_is_not_called_changed(name: str, champion: Path, picture: Path) -> None:
    (champion / name).unlink()
    with pytest.raises(RegistryError) as error:
        _detect(picture)
    assert f"its {name} is missing in" in str(error.value) and "move it back" in str(error.value)
    assert "changed" not in str(error.value) and "rollback" not in str(error.value)


def test_a_moved_folder_is_missing_and_answers_again_once_it_is_back(champion: Path, picture: Path) -> None:
    moved = champion.with_name("moved")
    champion.rename(moved)
    with pytest.raises(RegistryError, match=r"version 1: its MLmodel is missing in .*move it back"):
        _detect(picture)
    moved.rename(champion)
    assert _detect(picture)["verdict"] != "not scored"


def test_a_detector_of_a_folder_and_its_version_have_the_same_digest(champion: Path, run_copy: Path) -> None:
    assert Detector.load("champion").loaded.answer_key == read_run_folder(run_copy).digest
    assert model_registry.get_version(1).answer_digest == read_run_folder(run_copy).digest


def test_another_calibration_in_a_folder_is_another_detector(run_copy: Path) -> None:
    before = read_run_folder(run_copy).digest
    metrics = json.loads((run_copy / artifacts.METRICS).read_text())
    (run_copy / artifacts.METRICS).write_text(json.dumps(metrics | {"threshold": metrics["threshold"] / 2}))
    assert read_run_folder(run_copy).digest != before
