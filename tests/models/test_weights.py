"""Weights: those that the parameters name, or an error that says how to get them."""

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
from realframe.files import compute_sha256
from realframe.models import backbones, detector_network, freezing, weights
from realframe.settings import Settings
from tests.head_params import make_head_params

HEAD = make_head_params(dropout=0.2, standardize=True)


@pytest.fixture
def folder(tmp_path: Path) -> Settings:
    (tmp_path / "weights").mkdir()
    return Settings(weights_dir=tmp_path / "weights", home=tmp_path / "home")


@pytest.fixture(scope="module")
def mobilenet() -> keras.Model:
    keras.utils.set_random_seed(5)
    return applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3), pooling="avg")


def test_weights_in_the_folder_of_weights_are_found_and_loaded(folder: Settings, mobilenet: keras.Model) -> None:
    file = folder.weights_dir / "mobilenetv2_notop.weights.h5"  # type: ignore[operator]
    mobilenet.save_weights(file)

    model, found = detector_network.create_detector("mobilenetv2", "imagenet", 64, HEAD, 0, folder)

    assert (found.name, found.path, found.sha256) == ("imagenet", file, compute_sha256(file))
    loaded = freezing.split_network(model, freezing.get_pooling_layer(model))[0].get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(loaded, mobilenet.get_weights(), strict=True))


def test_a_file_of_the_legacy_layout_is_loaded_under_any_name(folder: Settings, mobilenet: keras.Model, tmp_path: Path) -> None:
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    h5py = pytest.importorskip("h5py")
    file = tmp_path / "own.weights.h5"
    with h5py.File(file, "w") as group:
        save_weights_to_hdf5_group(group, mobilenet)

    model, found = detector_network.create_detector("mobilenetv2", str(file), 64, HEAD, 0, folder)

    assert not found.is_imagenet
    loaded = freezing.split_network(model, freezing.get_pooling_layer(model))[0].get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(loaded, mobilenet.get_weights(), strict=True))


def test_efficientnet_scales_its_input_as_keras_with_imagenet_weights(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(3)
    source = applications.EfficientNetB0(include_top=False, weights=None, input_shape=(64, 64, 3))
    normalization = next(layer for layer in source.layers if isinstance(layer, keras.layers.Normalization))
    normalization.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)])
    file = folder.weights_dir / "efficientnetb0_notop.weights.h5"  # type: ignore[operator]
    source.save_weights(file)
    monkeypatch.setattr("keras.src.applications.efficientnet.file_utils.get_file", lambda *_, **__: str(file))
    expected = applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(64, 64, 3), pooling="avg")

    model, _ = detector_network.create_detector("efficientnetb0", "imagenet", 64, HEAD, 0, folder)

    frames = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    features = freezing.split_network(model, freezing.get_pooling_layer(model))[0].predict(frames, verbose=0)
    assert np.ptp(features) > 0
    np.testing.assert_allclose(features, expected.predict(frames, verbose=0), rtol=1e-3, atol=1e-5)

    elsewhere = Settings(home=folder.home)
    by_keras = weights.find_weights("imagenet", replace(backbones.get_backbone("efficientnetb0"), published=None), elsewhere)
    assert by_keras.path is not None
    assert by_keras.path.is_relative_to(elsewhere.cache_dir)
    same = detector_network.build_detector("efficientnetb0", by_keras, 64, HEAD, 0)
    assert all(np.array_equal(a, b) for a, b in zip(same.get_weights(), model.get_weights(), strict=True))


@pytest.mark.parametrize(("name", "constructor"), [("mobilenet", applications.MobileNet), ("vgg16", applications.VGG16)])
def test_weights_without_a_published_file_are_downloaded_by_keras_and_cached(
    name: str, constructor: Callable, folder: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = constructor(include_top=False, weights=None, input_shape=(32, 32, 3))
    source.save_weights(tmp_path / "published.weights.h5")
    downloads: list[object] = []

    def published(*name: object, **_: object) -> str:
        downloads.append(name)
        return str(tmp_path / "published.weights.h5")

    monkeypatch.setattr(f"keras.src.applications.{name}.file_utils.get_file", published)
    model, found = detector_network.create_detector(name, "imagenet", 32, HEAD, 0, folder)

    assert (found.path, found.is_imagenet) == (folder.cache_dir / "weights" / f"{name}_notop.weights.h5", True)
    loaded = freezing.split_network(model, freezing.get_pooling_layer(model))[0].get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(loaded, source.get_weights(), strict=True))
    assert weights.find_weights("imagenet", backbones.get_backbone(name), folder) == found
    assert len(downloads) == 1

    own = folder.weights_dir / f"{name}_notop.weights.h5"  # type: ignore[operator]
    source.save_weights(own)
    assert weights.find_weights("imagenet", backbones.get_backbone(name), folder).path == own


def test_a_failed_download_by_keras_is_an_error_with_a_hint(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> str:
        raise Exception("URL fetch failure: no route to host")

    monkeypatch.setattr("keras.src.applications.mobilenet.file_utils.get_file", no_network)
    with pytest.raises(WeightsError, match="no route to host") as caught:
        weights.find_weights("imagenet", backbones.get_backbone("mobilenet"), folder)

    for needed in ("applications.MobileNet(", "save_weights('mobilenet_notop.weights.h5')", "REALFRAME_WEIGHTS_DIR", "weights to random"):
        assert needed in str(caught.value)
    assert not list(folder.cache_dir.rglob("*.h5"))


def test_keras_home_is_searched_without_a_network(tmp_path: Path) -> None:
    published = backbones.get_backbone("mobilenetv2").published
    assert published is not None
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / published.file).write_bytes(b"as if downloaded")
    code = (
        "from realframe.models import backbones, weights; from realframe.settings import Settings;"
        "print(weights.find_weights('imagenet', backbones.get_backbone('mobilenetv2'), Settings()).path)"
    )

    environment = {key: value for key, value in os.environ.items() if key != "REALFRAME_WEIGHTS_DIR"} | {"KERAS_HOME": str(tmp_path)}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == str(tmp_path / "models" / published.file)


def test_unavailable_weights_are_an_error_with_a_hint(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> str:
        raise Exception("URL fetch failure: no route to host")

    monkeypatch.setattr("keras.utils.get_file", no_network)
    with pytest.raises(WeightsError) as caught:
        weights.find_weights("imagenet", backbones.get_backbone("efficientnetb0"), folder)

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


def test_a_silent_server_causes_a_timeout(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_NETWORK_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        origin = f"http://127.0.0.1:{server.getsockname()[1]}/never.h5"
        backbone = backbones.get_backbone("efficientnetb0")
        silent = replace(backbone, published=backbones.PublishedWeights("never_there_notop.h5", origin, "0" * 32))
        start = time.monotonic()
        with pytest.raises(WeightsError, match="are not available"):
            weights.find_weights("imagenet", silent, folder)

    assert time.monotonic() - start < 10
    assert socket.getdefaulttimeout() is None


def test_a_damaged_published_file_is_an_error(folder: Settings) -> None:
    (folder.weights_dir / "efficientnetb0_notop.h5").write_bytes(b"half a download")  # type: ignore[operator]

    with pytest.raises(WeightsError, match="damaged"):
        weights.find_weights("imagenet", backbones.get_backbone("efficientnetb0"), folder)


def test_a_missing_path_is_an_error(folder: Settings, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        weights.find_weights(str(tmp_path / "nowhere.weights.h5"), backbones.get_backbone("mobilenetv2"), folder)


@pytest.mark.parametrize("content", ["other backbone", "text"])
def test_weights_of_another_network_are_an_error(content: str, folder: Settings, tmp_path: Path) -> None:
    file = tmp_path / "else.weights.h5"
    if content == "text":
        file.write_text("no weights")
    else:
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(file)

    with pytest.raises(WeightsError, match="does not fit"):
        detector_network.create_detector("residual_cnn", str(file), 64, HEAD, 0, folder)


def test_a_network_without_imagenet_weights_is_an_error(folder: Settings) -> None:
    with pytest.raises(WeightsError, match=r"residual_cnn.*Set train.weights to random"):
        weights.find_weights("imagenet", backbones.get_backbone("residual_cnn"), folder)


def test_a_function_of_the_user_has_no_imagenet_weights(folder: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "get_settings", lambda: Settings(backbone_modules="realframe.models.backbones"))
    own = backbones.get_backbone("realframe.models.backbones:residual_cnn")

    with pytest.raises(WeightsError, match=r"backbones:residual_cnn with ImageNet weights.*random, or to the path of a .weights.h5 file"):
        weights.find_weights("imagenet", own, folder)
