"""Exported networks: each format gives the same scores in its own runtime, and what differs or cannot be converted is refused."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from realframe import artifacts
from realframe.cli import app
from realframe.detection import model_export
from realframe.detection.detector import Detector
from realframe.errors import RegistryError
from realframe.files import compute_sha256
from realframe.models.detector_network import POOLED
from realframe.settings import Settings
from tests import run_folder


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    """A run whose network gives each picture another score; the pictures are in ``media``."""
    run, media = tmp_path / "run", tmp_path / "media"
    splits = run_folder.write_dataset(run, 90)
    run_folder.write_training(run, splits)
    keras.utils.set_random_seed(3)
    frames = keras.Input((run_folder.SIZE, run_folder.SIZE, 3))
    hidden = keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 3, activation="swish")(keras.layers.Rescaling(1 / 255)(frames)))
    score = keras.layers.Dense(1, "sigmoid")(keras.layers.GlobalAveragePooling2D(name=POOLED)(hidden))
    (run / artifacts.MODEL).parent.mkdir(exist_ok=True)
    keras.Model(frames, score).save(run / artifacts.MODEL)
    media.mkdir()
    random = np.random.default_rng(0)
    for number in range(3):
        pixels = np.kron(random.integers(0, 255, (8, 8, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        Image.fromarray(pixels).save(media / f"{number}.png")
    (media / "notes.txt").write_text("not a picture")
    return run


@pytest.mark.parametrize("name", ["keras", "h5", "onnx", "tflite", "saved_model"])
def test_each_format_scores_real_files_as_the_version_does(name: str, folder: Path, tmp_path: Path) -> None:
    out, media = tmp_path / "out", tmp_path / "media"
    done = CliRunner().invoke(app, ["export", str(folder), "--format", name, "--output", str(out), "--check-files", str(media)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "the scores of 3 frames of 3 files differ by at most" in done.stdout
    description = json.loads((out / "detector.json").read_text())
    assert description["facts"]["threshold"] == json.loads((folder / artifacts.METRICS).read_text())["threshold"]
    assert {"verdict", "aggregate", "params"} <= description["facts"].keys()
    if name == "keras":
        expected = Detector.load(folder).detect(media / "0.png").detection
        assert Detector.load(out).detect(media / "0.png").detection.score == expected.score
    else:
        network = description["network"]
        assert network["input"]["shape"] == ["frames", run_folder.SIZE, run_folder.SIZE, 3]
        assert network["sha256"] == {file: compute_sha256(out / file) for file in network["sha256"]}
        assert description["check"]["max_difference"] <= description["check"]["tolerance"] == 1e-4


def test_a_format_that_scores_differently_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert_another(loaded: object, format_name: str, target: Path) -> None:
        other = keras.saving.load_model(folder / artifacts.MODEL)
        other.set_weights([weights + 0.1 for weights in other.get_weights()])
        other.save(target)

    monkeypatch.setattr(model_export, "_convert", convert_another)
    with pytest.raises(RegistryError, match=r"scores differently as h5: by up to .*, more than the tolerance of 0\.0001"):
        model_export.export_version(str(folder), "h5", tmp_path / "out", sorted((tmp_path / "media").iterdir()))
    assert not (tmp_path / "out").exists()


def test_a_full_folder_and_a_check_without_media_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="is not an empty folder"):
        model_export.export_version(str(folder), "h5", tmp_path / "media", [])
    with pytest.raises(RegistryError, match="needs images or videos, and none could be read"):
        model_export.export_version(str(folder), "h5", tmp_path / "out", [tmp_path / "media" / "notes.txt"])


def test_a_network_that_a_converter_does_not_know_is_refused(folder: Path, tmp_path: Path) -> None:
    frames = keras.Input((run_folder.SIZE, run_folder.SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D(name=POOLED)(frames)
    erf = keras.layers.Dense(1, "sigmoid")(keras.ops.erfinv(pooled / 256))
    keras.Model(frames, erf).save(folder / artifacts.MODEL)
    with pytest.raises(RegistryError, match=r"cannot be converted to onnx|its runtime cannot score"):
        model_export.export_version(str(folder), "onnx", tmp_path / "out", sorted((tmp_path / "media").iterdir()))
    assert not (tmp_path / "out").exists()
