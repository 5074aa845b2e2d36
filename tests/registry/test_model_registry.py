"""The model registry: registration, aliases, and the evidence of a version."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from realframe import artifacts
from realframe.data import manifest
from realframe.errors import RegistryError
from realframe.files import compute_sha256, write_text
from realframe.registry import evidence_bundle, mlflow_runs, model_registry, run_figures
from realframe.settings import get_settings
from tests import markdown_rendering, run_folder
from tests.state_fixtures import COMMIT


@pytest.fixture
def folder(tmp_path: Path, empty_registry: Path) -> Path:
    """A folder with an evaluated model whose training run is on this server."""
    run = tmp_path / "run"
    splits = run_folder.write_dataset(run, 90)
    with mlflow.start_run(experiment_id=mlflow_runs.connect()) as training:
        run_folder.write_training(run, splits, run_id=training.info.run_id)
    run_folder.write_model(run, bias=0.25)
    return run


def test_a_model_is_registered_as_challenger_with_its_training_run(folder: Path) -> None:
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT))
    training = json.loads((folder / artifacts.TRAINING).read_text())
    assert (version.version, version.aliases, version.commit) == (1, ("challenger",), COMMIT)
    assert model_registry.get_challenger() == version
    assert model_registry.find_champion() is None
    assert (version.run_id, version.dataset, version.recipe) == (training["run_id"], training["dataset"], "efficientnetb0")
    assert MlflowClient().get_model_version(model_registry.NAME, "1").run_id == training["run_id"]
    metrics = json.loads((folder / artifacts.METRICS).read_text())
    assert version.threshold == metrics["threshold"]
    assert version.figures["item"]["roc_auc"] == metrics["test"]["item"]["roc_auc"]
    assert version.baseline["frame"]["f1"] == metrics["baseline"]["test"]["frame"]["f1"]


def test_the_registered_file_is_the_evaluated_one_and_loads_in_safe_mode(folder: Path) -> None:
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT))
    file = Path(mlflow.artifacts.download_artifacts(version.uri)) / "data" / "model.keras"
    assert compute_sha256(file) == compute_sha256(folder / artifacts.MODEL) == version.sha256
    model = keras.models.load_model(file, safe_mode=True)
    frames = np.random.default_rng(0).uniform(0, 255, (2, run_folder.SIZE, run_folder.SIZE, 3)).astype(np.float32)
    assert model.predict(frames, verbose=0) == pytest.approx(1 / (1 + np.exp(-0.25)))


def test_the_model_has_signature_input_example_and_origin(folder: Path) -> None:
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT))
    loaded = mlflow.pyfunc.load_model(version.uri)
    origin = loaded.metadata.metadata["realframe"]
    assert (origin["threshold"], origin["dataset"], origin["commit"]) == (version.threshold, version.dataset, COMMIT)
    assert origin["params"]["clean"]["size"] == run_folder.SIZE
    assert "limits" not in origin["params"]  # of the machine, not of the version
    assert loaded.input_example.shape == (1, run_folder.SIZE, run_folder.SIZE, 3)
    assert loaded.predict(loaded.input_example).shape == (1, 1)
    with pytest.raises(MlflowException, match="shape"):
        loaded.predict(np.zeros((1, 16, 16, 3), np.float32))


def test_the_same_model_is_registered_once(folder: Path) -> None:
    first = model_registry.register_folder(folder, commit=COMMIT)
    assert model_registry.register_folder(folder, commit="d" * 40) == first
    run_folder.write_model(folder, bias=0.5)
    assert model_registry.register_folder(folder, commit=COMMIT) == first + 1
    assert [version.aliases for version in model_registry.list_versions()] == [(), ("challenger",)]


def test_an_undecided_version_without_alias_becomes_challenger_again(folder: Path) -> None:
    version = model_registry.register_folder(folder, commit=COMMIT)
    model_registry.delete_alias(model_registry.CHALLENGER)
    model_registry.register_folder(folder, commit=COMMIT)
    assert model_registry.get_challenger().version == version


def test_a_decided_version_does_not_become_challenger_again(folder: Path) -> None:
    version = model_registry.register_folder(folder, commit=COMMIT)
    model_registry.delete_alias(model_registry.CHALLENGER)
    model_registry.set_decision(version, "1 abc")
    assert model_registry.register_folder(folder, commit=COMMIT) == version
    assert model_registry.find_by_alias(model_registry.CHALLENGER) is None


def test_a_model_from_another_server_gets_a_run(folder: Path) -> None:
    training = json.loads((folder / artifacts.TRAINING).read_text()) | {"run_id": "f" * 32}
    write_text(folder / artifacts.TRAINING, json.dumps(training))
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT))
    run = MlflowClient().get_run(MlflowClient().get_model_version(model_registry.NAME, "1").run_id)
    assert run.data.tags["realframe.restored"] == "f" * 32 == version.run_id
    assert run.data.metrics["test_item_roc_auc"] == version.figures["item"]["roc_auc"]["value"]
    assert run.data.params["clean.size"] == str(run_folder.SIZE)


def test_a_file_that_contains_code_is_refused(folder: Path) -> None:
    frames = keras.Input((8, 8, 3))
    keras.Model(frames, keras.layers.Lambda(lambda x: x[:, :1, 0, 0])(frames)).save(folder / artifacts.MODEL)
    with pytest.raises(RegistryError, match=r"cannot be loaded in safe mode: .*unsafe"):
        model_registry.register_folder(folder, commit=COMMIT)
    assert model_registry.list_versions() == []


def test_a_folder_without_an_evaluated_model_is_an_error(folder: Path) -> None:
    (folder / artifacts.METRICS).unlink()
    with pytest.raises(RegistryError, match=r"metrics\.json: does not exist"):
        model_registry.register_folder(folder, commit=COMMIT)


def test_an_empty_registry_is_an_error(empty_registry: Path) -> None:
    assert model_registry.list_versions() == []
    with pytest.raises(RegistryError, match="no version waits"):
        model_registry.get_challenger()
    with pytest.raises(RegistryError, match="none yet"):
        model_registry.get_version(1)


def test_aliases_are_moved(three_versions: Path) -> None:
    assert [version.aliases for version in model_registry.list_versions()] == [(), (), ("challenger",)]
    model_registry.set_alias(model_registry.CHAMPION, 2)
    model_registry.set_alias("shadow", 2)
    assert model_registry.get_version(2).aliases == ("champion", "shadow")
    model_registry.set_alias(model_registry.CHAMPION, 1)
    assert model_registry.find_champion() == model_registry.get_version(1)


def test_a_version_that_realframe_did_not_register_is_ignored(three_versions: Path) -> None:
    mlflow_runs.connect()
    MlflowClient().create_model_version(model_registry.NAME, "file:///elsewhere")
    assert [version.version for version in model_registry.list_versions()] == [1, 2, 3]
    with pytest.raises(RegistryError, match=r"Registered versions: 1, 2, 3\."):
        model_registry.get_version(4)


def test_the_evidence_is_logged_and_fetched_with_the_version(folder: Path) -> None:
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT, trainer="Ada"))
    metrics = json.loads((folder / artifacts.METRICS).read_text())
    assert (version.trainer, version.shortcuts, version.test_split) == ("Ada", "passed", metrics["test_split"])
    fetched = evidence_bundle.fetch(version)
    for path in (
        artifacts.METRICS,
        artifacts.PREDICTIONS,
        artifacts.HELD_OUT,
        artifacts.CROSS_SOURCE,
        artifacts.ROBUSTNESS,
        artifacts.SPLITS,
        artifacts.RESOLVED_PARAMS,
    ):
        assert (fetched / path.name).read_bytes() == (folder / path).read_bytes()
    run = MlflowClient().get_run(version.mlflow_run_id)
    stored = Path(run.info.artifact_uri.removeprefix("file://")) / "evidence"
    check = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=stored, check=False)
    assert check.returncode == 0


def test_a_version_and_its_run_are_described(folder: Path) -> None:
    training = json.loads((folder / artifacts.TRAINING).read_text()) | {"recipe": "a|b"}
    write_text(folder / artifacts.TRAINING, json.dumps(training))
    metrics = json.loads((folder / artifacts.METRICS).read_text())
    metrics["held_out"]["generators"][0]["name"] = "[x](http://evil.example)"
    write_text(folder / artifacts.METRICS, json.dumps(metrics))
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT, trainer="<b>Ada</b>"))

    client = MlflowClient()
    text = client.get_model_version(model_registry.NAME, "1").description
    headline = model_registry.format_metric_with_interval(metrics["held_out"]["macro"])
    assert text.index("Images from unseen sources: ROC") < text.index(f"ROC-AUC on unseen generators: {headline}")
    assert f"dataset `{version.dataset}`, 44 training, 22 validation, 22 test items" in text
    assert f"/runs/{version.mlflow_run_id}/artifacts/evidence/report.html)" in text and "/versions/1)" in text
    tokens = markdown_rendering.render(text)
    assert not any("evil" in str(token.attrs) for token in tokens if token.type == "link_open")
    assert not any(token.type.startswith("html") for token in tokens)
    assert "<b>Ada</b>" in markdown_rendering.shown(tokens)
    run = client.get_run(version.mlflow_run_id)
    assert run.data.tags["mlflow.note.content"] == text
    assert "champion" in client.get_registered_model(model_registry.NAME).description


def test_tags_are_few_and_short_and_figures_are_metrics(folder: Path) -> None:
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT, trainer="Ada"))
    tags = MlflowClient().get_model_version(model_registry.NAME, "1").tags
    assert len(tags) <= 13
    assert max(map(len, tags.values())) <= 64
    assert tags["test_roc_auc"] == model_registry.format_metric_with_interval(version.figures["item"]["roc_auc"])

    metrics = json.loads((folder / artifacts.METRICS).read_text())
    logged = MlflowClient().get_run(version.mlflow_run_id).data.metrics
    roc_auc = metrics["cross_source"]["kinds"]["video"]["roc_auc"]
    assert version.cross_source["video"] == roc_auc
    assert logged["cross_source_video_roc_auc"] == roc_auc["value"]
    assert logged["held_out/sd1.5/roc_auc"] == metrics["held_out"]["generators"][0]["roc_auc"]["value"]
    assert logged["robustness/jpeg_30/drop"] == metrics["robustness"]["curves"]["jpeg"][0]["drop"]["value"]
    assert logged["slices/generator/sd1.5/accuracy"] == metrics["slices"]["generator"][0]["accuracy"]["value"]


@pytest.mark.parametrize("name", ["..", "", "a/b", "x" * 300, "Sora 2 \N{BULLET}", "."])
def test_a_generator_of_any_name_gives_a_metric_that_mlflow_accepts(name: str, empty_registry: Path) -> None:
    metrics = {"test": {}, "val": {}, "baseline": {"test": {}}, "slices": {"generator": [{"name": name, "accuracy": {"value": 0.5}}]}}
    with mlflow.start_run(experiment_id=mlflow_runs.connect()) as run:
        run_figures.log_figures(metrics)
    assert list(MlflowClient().get_run(run.info.run_id).data.metrics.values()) == [0.5]


def test_the_figures_of_a_version_whose_run_was_deleted_are_unknown(folder: Path) -> None:
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT))
    model_registry._read_run_metrics.cache_clear()
    database = sqlite3.connect(get_settings().state_dir / "mlflow.db")
    for table in ("latest_metrics", "metrics"):
        database.execute(f"delete from {table}")
    database.commit()
    unknown = model_registry.get_version(version.version)
    assert model_registry.format_metric_with_interval(unknown.figures["item"]["roc_auc"]) == "unknown"


def test_the_first_trainer_of_a_model_stays(folder: Path) -> None:
    model_registry.register_folder(folder, commit=COMMIT, trainer="Ada")
    assert model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT, trainer="Bob")).trainer == "Ada"


def test_a_new_evaluation_replaces_the_evidence_but_not_the_audit_mark(folder: Path) -> None:
    def evaluate(quality: float, allowed: bool, gone: tuple[Path, ...] = ()) -> None:
        splits = manifest.read(folder / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
        marks = {"passed": not allowed, "allowed": allowed}
        found = replace(run_folder.make_evaluation_tables(splits, quality), shortcuts=marks)
        run_folder.write_evaluation(folder, found)
        for path in gone:
            (folder / path).unlink()

    evaluate(0.2, allowed=True)
    before = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT, trainer="Ada"))
    first = evidence_bundle.fetch(before)
    evaluate(0.9, allowed=False, gone=(artifacts.ROBUSTNESS,))
    model_registry.refresh_evidence(before.version, folder)
    after = model_registry.get_version(before.version)
    assert after.figures["item"]["roc_auc"]["value"] > before.figures["item"]["roc_auc"]["value"]
    assert (after.trainer, after.shortcuts) == ("Ada", "allowed")
    fetched = evidence_bundle.fetch(after)
    assert fetched != first
    assert not (fetched / artifacts.ROBUSTNESS.name).exists(), "a file of the earlier evaluation"
    with pytest.raises(RegistryError, match="its evidence differs from the registered digest: SHA256SUMS was changed"):
        shutil.rmtree(first)
        evidence_bundle.fetch(before)


def test_the_evaluation_of_another_model_is_refused(folder: Path) -> None:
    version = model_registry.register_folder(folder, commit=COMMIT)
    run_folder.write_model(folder, bias=0.9)
    with pytest.raises(RegistryError, match="has another SHA-256 than the model in"):
        model_registry.refresh_evidence(version, folder)


def test_a_version_without_evidence_is_an_error(folder: Path) -> None:
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT))
    with pytest.raises(RegistryError, match="was registered without its evidence"):
        evidence_bundle.fetch(replace(version, evidence_digest=""))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.unlink(), "its evidence is not complete: metrics.json is missing in the folder evidence of MLflow run"),
        (lambda file: file.write_text("{}"), "its evidence differs from the registered digest: metrics.json was changed"),
        (lambda file: shutil.rmtree(file.parent), "its evidence is not complete: SHA256SUMS is missing"),
    ],
)
def test_missing_and_changed_evidence_are_two_messages(change: Callable[[Path], object], message: str, folder: Path) -> None:
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT))
    stored = Path(MlflowClient().get_run(version.mlflow_run_id).info.artifact_uri.removeprefix("file://")) / "evidence"
    change(stored / artifacts.METRICS.name)
    with pytest.raises(RegistryError) as error:
        evidence_bundle.fetch(version)
    assert message in str(error.value)
    assert ("moved" in str(error.value)) == ("missing" in message)


def test_a_changed_copy_of_the_evidence_is_fetched_again(folder: Path) -> None:
    version = model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT))
    copy = evidence_bundle.fetch(version) / artifacts.METRICS.name
    original = copy.read_bytes()
    copy.write_text("{}")
    assert (evidence_bundle.fetch(version) / artifacts.METRICS.name).read_bytes() == original
