"""Weights are what was asked for, or an error that says how to get them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import applications

from realframe.errors import WeightsError
from realframe.files import sha256_of
from realframe.models import backbones, detector_network, freezing, weights
from realframe.settings import Settings
from tests.heads import head

HEAD = head(dropout=0.2, normalize=True)


@pytest.fixture
def folder(tmp_path: Path) -> Settings:
    (tmp_path / "weights").mkdir()
    return Settings(weights_dir=tmp_path / "weights", home=tmp_path / "home")


@pytest.fixture(scope="module")
def mobilenet() -> keras.Model:
    keras.utils.set_random_seed(5)
    return applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3), pooling="avg")


def test_the_folder_of_weights_is_found_and_loaded(folder: Settings, mobilenet: keras.Model) -> None:
    file = folder.weights_dir / "mobilenetv2_notop.weights.h5"  # type: ignore[operator]
    mobilenet.save_weights(file)

    model, found = detector_network.open_backbone("mobilenetv2", "imagenet", 64, HEAD, 0, folder)

    assert (found.name, found.path, found.sha256) == ("imagenet", file, sha256_of(file))
    loaded = freezing.split(model, freezing.pooling(model))[0].get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(loaded, mobilenet.get_weights(), strict=True))


def test_a_file_of_the_older_layout_is_loaded_whatever_its_name(folder: Settings, mobilenet: keras.Model, tmp_path: Path) -> None:
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    h5py = pytest.importorskip("h5py")
    file = tmp_path / "own.weights.h5"
    with h5py.File(file, "w") as group:
        save_weights_to_hdf5_group(group, mobilenet)

    model, found = detector_network.open_backbone("mobilenetv2", str(file), 64, HEAD, 0, folder)

    assert not found.imagenet
    loaded = freezing.split(model, freezing.pooling(model))[0].get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(loaded, mobilenet.get_weights(), strict=True))


def test_efficientnet_sees_its_input_as_keras_with_imagenet_weights_does(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(3)
    source = applications.EfficientNetB0(include_top=False, weights=None, input_shape=(64, 64, 3))
    normalization = next(layer for layer in source.layers if isinstance(layer, keras.layers.Normalization))
    normalization.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)])
    file = folder.weights_dir / "efficientnetb0_notop.weights.h5"  # type: ignore[operator]
    source.save_weights(file)
    monkeypatch.setattr("keras.src.applications.efficientnet.file_utils.get_file", lambda *_, **__: str(file))
    theirs = applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(64, 64, 3), pooling="avg")

    model, _ = detector_network.open_backbone("efficientnetb0", "imagenet", 64, HEAD, 0, folder)

    frames = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    ours = freezing.split(model, freezing.pooling(model))[0].predict(frames, verbose=0)
    assert np.ptp(ours) > 0
    np.testing.assert_allclose(ours, theirs.predict(frames, verbose=0), rtol=1e-3, atol=1e-5)

    elsewhere = Settings(home=folder.home)
    by_keras = weights.find("imagenet", replace(backbones.get("efficientnetb0"), published=None), elsewhere)
    assert by_keras.path is not None
    assert by_keras.path.is_relative_to(elsewhere.cache_dir)
    same = detector_network.build_detector("efficientnetb0", by_keras, 64, HEAD, 0)
    assert all(np.array_equal(a, b) for a, b in zip(same.get_weights(), model.get_weights(), strict=True))


@pytest.mark.parametrize(("name", "constructor"), [("mobilenet", applications.MobileNet), ("vgg16", applications.VGG16)])
def test_a_network_without_a_file_of_its_own_is_loaded_by_keras_and_kept(
    name: str, constructor: Callable, folder: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = constructor(include_top=False, weights=None, input_shape=(32, 32, 3))
    source.save_weights(tmp_path / "published.weights.h5")
    asked: list[object] = []

    def published(*name: object, **_: object) -> str:
        asked.append(name)
        return str(tmp_path / "published.weights.h5")

    monkeypatch.setattr(f"keras.src.applications.{name}.file_utils.get_file", published)
    model, found = detector_network.open_backbone(name, "imagenet", 32, HEAD, 0, folder)

    assert (found.path, found.imagenet) == (folder.cache_dir / "weights" / f"{name}_notop.weights.h5", True)
    loaded = freezing.split(model, freezing.pooling(model))[0].get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(loaded, source.get_weights(), strict=True))
    assert weights.find("imagenet", backbones.get(name), folder) == found
    assert len(asked) == 1

    own = folder.weights_dir / f"{name}_notop.weights.h5"  # type: ignore[operator]
    source.save_weights(own)
    assert weights.find("imagenet", backbones.get(name), folder).path == own


def test_what_keras_cannot_load_is_an_error_that_says_how_to_bring_it(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> str:
        raise Exception("URL fetch failure: no route to host")

    monkeypatch.setattr("keras.src.applications.mobilenet.file_utils.get_file", no_network)
    with pytest.raises(WeightsError, match="no route to host") as caught:
        weights.find("imagenet", backbones.get("mobilenet"), folder)

    for needed in ("applications.MobileNet(", "save_weights('mobilenet_notop.weights.h5')", "REALFRAME_WEIGHTS_DIR", "weights to random"):
        assert needed in str(caught.value)
    assert not list(folder.cache_dir.rglob("*.h5"))


def test_keras_home_is_searched_without_a_network(tmp_path: Path) -> None:
    published = backbones.get("mobilenetv2").published
    assert published is not None
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / published.file).write_bytes(b"as if downloaded")
    code = (
        "from realframe.models import backbones, weights; from realframe.settings import Settings;"
        "print(weights.find('imagenet', backbones.get('mobilenetv2'), Settings()).path)"
    )

    environment = {key: value for key, value in os.environ.items() if key != "REALFRAME_WEIGHTS_DIR"} | {"KERAS_HOME": str(tmp_path)}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == str(tmp_path / "models" / published.file)


def test_weights_that_cannot_be_had_are_an_error_that_helps(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> str:
        raise Exception("URL fetch failure: no route to host")

    monkeypatch.setattr("keras.utils.get_file", no_network)
    with pytest.raises(WeightsError) as caught:
        weights.find("imagenet", backbones.get("efficientnetb0"), folder)

    text = str(caught.value)
    for needed in (
        "efficientnetb0_notop.h5",
        "50bc09e76180e00e4465e1a485ddc09d",
        "models",
        "REALFRAME_WEIGHTS_DIR",
        "random",
        "no route to host",
    ):
        assert needed in text


def test_a_silent_server_is_given_up_soon(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_NETWORK_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        origin = f"http://127.0.0.1:{server.getsockname()[1]}/never.h5"
        backbone = backbones.get("efficientnetb0")
        silent = replace(backbone, published=backbones.Published("never_there_notop.h5", origin, "0" * 32))
        began = time.monotonic()
        with pytest.raises(WeightsError, match="can't be had"):
            weights.find("imagenet", silent, folder)

    assert time.monotonic() - began < 10
    assert socket.getdefaulttimeout() is None


def test_a_damaged_file_of_keras_own_name_is_refused(folder: Settings) -> None:
    (folder.weights_dir / "efficientnetb0_notop.h5").write_bytes(b"half a download")  # type: ignore[operator]

    with pytest.raises(WeightsError, match="damaged"):
        weights.find("imagenet", backbones.get("efficientnetb0"), folder)


def test_a_path_that_is_not_there_is_no_reason_for_random_weights(folder: Settings, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        weights.find(str(tmp_path / "nowhere.weights.h5"), backbones.get("mobilenetv2"), folder)


@pytest.mark.parametrize("content", ["other backbone", "text"])
def test_weights_of_something_else_are_refused(content: str, folder: Settings, tmp_path: Path) -> None:
    file = tmp_path / "else.weights.h5"
    if content == "text":
        file.write_text("no weights")
    else:
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(file)

    with pytest.raises(WeightsError, match="does not fit"):
        detector_network.open_backbone("residual_cnn", str(file), 64, HEAD, 0, folder)


def test_a_network_that_was_never_trained_on_imagenet_says_so(folder: Settings) -> None:
    with pytest.raises(WeightsError, match=r"residual_cnn.*Set train.weights to random"):
        weights.find("imagenet", backbones.get("residual_cnn"), folder)


def test_a_function_of_ones_own_has_no_imagenet_weights(folder: Settings) -> None:
    own = backbones.get("realframe.models.backbones:residual_cnn")

    with pytest.raises(WeightsError, match=r"residual:residual_cnn with ImageNet weights.*random, or to the path of a .weights.h5 file"):
        weights.find("imagenet", own, folder)
