"""Backbones: each one that a recipe may name becomes a flat detector of pixels that loads in safe mode."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import applications

from realframe.config import HeadParams
from realframe.errors import ParamsError
from realframe.models import backbones, detector_network, freezing
from realframe.models.backbones import FIXED_LAYER
from realframe.settings import Settings
from tests.head_params import make_head_params

HEAD = make_head_params(dropout=0.2, standardize=True)
OF_RECIPES = ["efficientnetb0", "efficientnetb3", "efficientnetv2b0", "inceptionv3", "mobilenetv2", "residual_cnn"]
OWN = """
import keras
from keras import layers

def tiny(include_top, weights, input_tensor):
    x = layers.Rescaling(1 / 255)(input_tensor)
    return keras.Model(input_tensor, layers.Conv2D(4, 40, strides=8, name="only")(x))

def narrow(input_tensor):
    return tiny(False, None, input_tensor)

def no_model(include_top, weights, input_tensor):
    return layers.Conv2D(4, 3)(input_tensor)

def elsewhere(include_top, weights, input_tensor):
    return tiny(include_top, weights, keras.Input(input_tensor.shape[1:]))

def pooled(include_top, weights, input_tensor):
    return keras.Model(input_tensor, layers.GlobalAveragePooling2D()(input_tensor))

def lambdas(include_top, weights, input_tensor):
    return keras.Model(input_tensor, layers.Lambda(lambda x: x / 255)(input_tensor))

class Mine(layers.Layer):
    def call(self, x):
        return 2 * x

def unknown_layer(include_top, weights, input_tensor):
    return keras.Model(input_tensor, Mine()(input_tensor))
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module with a user's backbones and put it on the import path; return their names in a recipe."""
    (tmp_path / "own_nets.py").write_text(OWN)
    (tmp_path / "broken_nets.py").write_text("import nowhere_to_be_found")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(backbones, "get_settings", lambda: Settings(backbone_modules="own_nets, broken_nets,nowhere_nets"))
    return lambda function: f"own_nets:{function}"


def make_input(size: int) -> keras.KerasTensor:
    return keras.Input((size, size, 3), name="frames")


def build(name: str, size: int = 96, head: HeadParams = HEAD) -> keras.Model:
    return detector_network.create_detector(name, "random", size, head, 0, Settings())[0]


@pytest.mark.parametrize("name", OF_RECIPES)
def test_every_backbone_becomes_a_flat_detector(name: str) -> None:
    model = build(name)

    assert model.input.shape == (None, 96, 96, 3)
    assert model.output.shape == (None, 1)
    assert not [layer for layer in model.layers if isinstance(layer, keras.Model)]
    assert not [layer for layer in model.layers if type(layer).__name__ in ("Lambda", "TFOpLambda")]


@pytest.mark.parametrize("name", ["residual_cnn", "convnexttiny"])
def test_a_saved_detector_loads_in_safe_mode_and_scores_the_same(name: str, tmp_path: Path) -> None:
    model = build(name)
    frames = np.random.default_rng(0).uniform(0, 255, (3, 96, 96, 3)).astype(np.float32)
    bottom, _ = freezing.split_network(model, freezing.get_pooling_layer(model))
    detector_network.fit_standardization(model, bottom.predict(frames, verbose=0))
    score = model.get_layer(detector_network.SCORE)
    score.set_weights([np.random.default_rng(0).normal(0, 0.03, score.kernel.shape), np.array([0.1])])

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)

    scores = model.predict(frames, verbose=0)
    assert np.ptp(scores) > 0.01
    np.testing.assert_allclose(loaded.predict(frames, verbose=0), scores, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in backbones.list_backbones() if name != "residual_cnn"])
def test_every_keras_network_gets_the_pixels_of_its_preprocess_input(name: str, tmp_path: Path) -> None:
    backbone = backbones.get_backbone(name)
    frames = make_input(8)
    preparation = replace(backbone, constructor=lambda input_tensor, **_: keras.Model(frames, input_tensor)).build(frames)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)

    expected = importlib.import_module(backbone.constructor.__module__).preprocess_input(pixels.copy())

    np.testing.assert_allclose(np.asarray(preparation(pixels)), expected, atol=1e-4)
    preparation.save(tmp_path / "preparation.keras")
    loaded = keras.models.load_model(tmp_path / "preparation.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(loaded(pixels)), np.asarray(preparation(pixels)))


@pytest.mark.parametrize(
    ("name", "constructor", "family", "size"),
    [
        ("mobilenetv3small", applications.MobileNetV3Small, applications.mobilenet_v3, 96),
        ("mobilenetv2", applications.MobileNetV2, applications.mobilenet_v2, 96),
        ("vgg16", applications.VGG16, applications.vgg16, 32),
        ("densenet121", applications.DenseNet121, applications.densenet, 32),
    ],
)
def test_a_detector_computes_the_same_as_the_keras_network(name: str, constructor: Callable, family: object, size: int) -> None:
    model = build(name, size)
    plain = constructor(include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg")
    bottom, _ = freezing.split_network(model, freezing.get_pooling_layer(model))
    plain.set_weights(bottom.get_weights())
    frames = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)

    expected = plain.predict(family.preprocess_input(frames.copy()), verbose=0)  # type: ignore[attr-defined]

    assert np.ptp(expected) > 0
    np.testing.assert_allclose(bottom.predict(frames, verbose=0), expected, rtol=1e-3, atol=1e-4)


def test_names_of_keras_networks_are_case_insensitive() -> None:
    assert (backbones.get_backbone("VGG16").name, backbones.get_backbone("ConvNeXtTiny").name) == ("vgg16", "convnexttiny")
    assert backbones.get_backbone("EfficientNetB0").published == backbones.get_backbone("efficientnetb0").published is not None


@pytest.mark.parametrize(("name", "least"), [("inceptionv3", 75), ("xception", 71)])
def test_too_small_frames_are_an_error_that_names_the_least_size(name: str, least: int) -> None:
    with pytest.raises(ParamsError, match=rf"clean.size: 64: the backbone {name} .* Set clean.size to at least {least}"):
        backbones.get_backbone(name).build(make_input(64))
    assert backbones.get_backbone(name).build(make_input(least)).output.shape[-1] == 2048


def test_a_function_of_the_user_is_a_backbone(own: Callable[[str], str]) -> None:
    backbone = backbones.get_backbone(own("tiny"))

    network = backbone.build(make_input(64))

    assert (backbone.name, network.output.shape) == ("own_nets:tiny", (None, 4, 4, 4))
    with pytest.raises(ParamsError, match=r"clean.size: 32: the backbone own_nets:tiny cannot be built.*Set a larger clean.size"):
        backbone.build(make_input(32))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere_nets:tiny", r"nowhere_nets cannot be imported: ModuleNotFoundError.*PYTHONPATH"),
        ("broken_nets:tiny", r"broken_nets cannot be imported: .*nowhere_to_be_found"),
        (":tiny", r"is not allowed"),
        ("own_nets:tinny", r"own_nets has no function tinny.*It has: tiny, narrow"),
        ("own_nets:", r"own_nets has no function"),
        ("own_nets:narrow", r"narrow cannot be called with include_top, weights and input_tensor.*backbones.py"),
    ],
)
def test_a_missing_function_is_an_error(name: str, words: str, own: Callable[[str], str]) -> None:
    with pytest.raises(ParamsError, match=f"train.backbone: {name}: .*{words}"):
        backbones.get_backbone(name)


def write_received_module(folder: Path) -> Path:
    """Write a module into the folder of originals that leaves a trace when it is imported; return the trace."""
    received = folder / "data" / "raw"
    received.mkdir(parents=True)
    (received / "evil.py").write_text(f"import pathlib; pathlib.Path({str(folder / 'trace')!r}).touch()\ndef net(*a, **b): ...\n")
    (folder / "data" / "__init__.py").write_text((received / "evil.py").read_text())
    return folder / "trace"


@pytest.mark.parametrize("name", ["data.raw.evil:net", "evil:net", "linked:net"])
@pytest.mark.parametrize("modules", ["", "data.raw.evil,evil,linked"])
def test_a_received_file_is_never_imported(name: str, modules: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = write_received_module(tmp_path)
    (tmp_path / "linked.py").symlink_to(tmp_path / "data" / "raw" / "evil.py")
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / "data" / "raw", tmp_path):
        monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(backbones, "get_settings", lambda: Settings(backbone_modules=modules))

    with pytest.raises(ParamsError, match="folder of received files" if modules else "REALFRAME_BACKBONE_MODULES"):
        backbones.get_backbone(name)

    assert not trace.exists()


def test_a_module_named_in_the_parameters_alone_is_not_imported_by_the_first_stage(root: Path, tmp_path: Path) -> None:
    """`-S train.backbone=...` and the form of Airflow write their values into the overrides of params.yaml."""
    trace = write_received_module(tmp_path)
    (tmp_path / "recipes").symlink_to(root / "recipes")
    params = (root / "params.yaml").read_text().replace("overrides: {}", "overrides: {train.backbone: 'data.raw.evil:net'}")
    (tmp_path / "params.yaml").write_text(params)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}",
        "REALFRAME_BACKBONE_MODULES": "",
        "REALFRAME_ROOT": str(root),
    }

    done = subprocess.run(
        [sys.executable, "-m", "pipelines.resolve_params"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "data.raw.evil is not allowed on this machine" in done.stderr
    assert not trace.exists()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("no_model", "returns KerasTensor, not a keras.Model"),
        ("elsewhere", "does not start at input_tensor"),
        ("pooled", "not one set of feature maps"),
        ("lambdas", "safe mode with these layers: Lambda"),
        ("unknown_layer", "safe mode with these layers: Mine"),
    ],
)
def test_a_function_that_does_not_return_a_backbone_is_an_error(function: str, words: str, own: Callable[[str], str]) -> None:
    with pytest.raises(ParamsError, match=rf"own_nets:{function}.*{words}.*backbones.py"):
        backbones.get_backbone(own(function)).build(make_input(64))


def test_the_seed_decides_the_weights() -> None:
    one, same = build("residual_cnn"), build("residual_cnn")
    other = detector_network.create_detector("residual_cnn", "random", 96, HEAD, 1, Settings())[0]

    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), same.get_weights(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_the_head_standardizes_by_the_training_features() -> None:
    model = build("residual_cnn")
    features = np.random.default_rng(0).normal(5, 3, (500, 128))

    detector_network.fit_standardization(model, features)

    layer = model.get_layer(detector_network.STANDARDIZED)
    standardized = np.asarray(layer(features.astype(np.float32)))
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(standardized.std(axis=0), 1, atol=1e-3)


def test_a_head_without_normalization_has_no_such_layer() -> None:
    model = build("residual_cnn", head=make_head_params(dropout=0, standardize=False))

    detector_network.fit_standardization(model, np.ones((2, 128)))

    assert detector_network.STANDARDIZED not in [layer.name for layer in model.layers]


def test_the_residual_network_ignores_flat_color_and_responds_to_noise() -> None:
    model = build("residual_cnn")
    residual = keras.Model(model.input, model.get_layer(FIXED_LAYER).output)
    flat = np.full((1, 96, 96, 3), 200, np.float32)
    noisy = flat + np.random.default_rng(0).normal(0, 3, flat.shape)

    inner = np.s_[:, 3:-3, 3:-3]
    assert np.abs(residual.predict(flat, verbose=0)[inner]).max() < 1e-3
    assert np.abs(residual.predict(noisy, verbose=0)[inner]).mean() > 0.1


def test_an_unknown_backbone_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ParamsError, match=r"resnet9000.*Choose one of: efficientnetb0.*residual_cnn.*vgg19.*module:function"):
        backbones.get_backbone("resnet9000")
