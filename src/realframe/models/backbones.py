"""Build the backbones that a recipe may name, with their preprocessing and the source of their ImageNet weights.

There are three kinds:

* the networks of ``keras.applications`` in any case (``resnet50``, ``VGG16``). With an entry in ``_PUBLISHED``, realframe downloads and
  verifies the ImageNet weights itself;
* the networks of this package, one entry each in ``_OWN_NETWORKS``: ``residual_cnn``;
* a function ``module:function`` of the user, with the signature of :func:`residual_cnn`. Importing a module runs its code, and parameters
  come from forms, so the settings of the machine must allow the module (``REALFRAME_BACKBONE_MODULES``), and it must not be in a folder of
  received files.
"""

import importlib
import importlib.machinery
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from keras import applications, layers

from realframe.errors import ParamsError
from realframe.settings import get_settings

FIXED_LAYER = "high_pass"  # never trained

PixelFormat = Literal["raw", "signed", "caffe", "torch"]

_KERAS = "https://storage.googleapis.com/keras-applications/"
_TENSORFLOW = "https://storage.googleapis.com/tensorflow/keras-applications/"
_CAFFE_MEANS = (103.939, 116.779, 123.68)  # of ImageNet: blue, green, red
_TORCH_MEANS = np.array([0.485, 0.456, 0.406])  # of ImageNet: red, green, blue, for pixels in [0, 1]
_TORCH_STDS = np.array([0.229, 0.224, 0.225])
_PIXEL_FORMATS: dict[str, PixelFormat] = {  # by module of keras.applications
    "convnext": "raw",
    "densenet": "torch",
    "efficientnet": "raw",
    "efficientnet_v2": "raw",
    "inception_resnet_v2": "signed",
    "inception_v3": "signed",
    "mobilenet": "signed",
    "mobilenet_v2": "signed",
    "mobilenet_v3": "raw",
    "nasnet": "signed",
    "resnet": "caffe",
    "resnet_v2": "signed",
    "vgg16": "caffe",
    "vgg19": "caffe",
    "xception": "signed",
}


@dataclass(frozen=True)
class PublishedWeights:
    """The file of ImageNet weights that the loader of Keras downloads.

    Attributes:
        file: its name in ``$KERAS_HOME/models``.
        origin: its URL.
        md5: the checksum that Keras publishes, if any.
    """

    file: str
    origin: str
    md5: str | None


_PUBLISHED = {
    "efficientnetb0": PublishedWeights("efficientnetb0_notop.h5", f"{_KERAS}efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    "efficientnetb3": PublishedWeights("efficientnetb3_notop.h5", f"{_KERAS}efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226"),
    "efficientnetv2b0": PublishedWeights(
        "efficientnetv2-b0_notop.h5", f"{_TENSORFLOW}efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"
    ),
    "mobilenetv2": PublishedWeights(
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        f"{_TENSORFLOW}mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        None,
    ),
    "inceptionv3": PublishedWeights(
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{_TENSORFLOW}inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
}


@dataclass(frozen=True)
class Backbone:
    """A network that turns frames into feature maps.

    Attributes:
        name: its name in recipes; of a network of ``keras.applications`` in lower case.
        constructor: builds the network without its top and with random weights, on an input tensor.
        pixels: the pixel format of the network: ``raw``, [0, 255] (it rescales inside); ``signed``, [-1, 1]; ``caffe``, blue, green,
            red minus ImageNet's means; ``torch``, [0, 1] minus ImageNet's means, divided by its standard deviations.
        is_keras: it is a network of ``keras.applications``, for which Keras has ImageNet weights.
        published: the file of these weights, where realframe downloads and verifies it itself; else None.
    """

    name: str
    constructor: Callable[..., keras.Model]
    pixels: PixelFormat
    is_keras: bool
    published: PublishedWeights | None

    def build(self, frames: keras.KerasTensor) -> keras.Model:
        """Build the flat network with random weights, preprocessing included, on ``frames``, float32 (N, size, size, 3) in [0, 255].

        Raises:
            ParamsError: the network does not accept frames of this size, or a user's function does not return a backbone.
        """
        size = frames.shape[1]
        shape = {"input_shape": (size, size, 3)} if self.is_keras else {}  # makes Keras name the least size in its error
        try:
            network = self.constructor(include_top=False, weights=None, input_tensor=_preprocess(frames, self.pixels), **shape)
        except ValueError as error:
            raise self._size_error(size, error) from error
        if not self.is_keras:
            self._check_network(network, frames)
        return network

    def _size_error(self, size: int, error: ValueError) -> ParamsError:
        least = re.search(r"at least (\d+)x", str(error))
        hint = f"Set clean.size to at least {least[1]}." if least else "Set a larger clean.size, or correct the network."
        reason = f"the backbone {self.name} cannot be built on frames of this size: {str(error).partition(chr(10))[0]}"
        return ParamsError(f"clean.size: {size}", reason, hint)

    def _check_network(self, network: keras.Model, frames: keras.KerasTensor) -> None:
        """Raise ParamsError where a user's network does not meet the requirements of a detector."""
        reason = ""
        if not isinstance(network, keras.Model):
            reason = f"the function returns {type(network).__name__}, not a keras.Model"
        elif len(network.inputs) != 1 or network.inputs[0] is not frames:
            reason = "the network does not start at input_tensor"
        elif len(network.outputs) != 1 or len(network.outputs[0].shape) != 4:
            reason = "the network's output is not one set of feature maps (N, height, width, channels)"
        elif unsafe := _find_unsafe_layers(network):
            reason = f"a saved detector cannot be loaded in safe mode with these layers: {', '.join(unsafe)}"
        if reason:
            raise ParamsError(f"train.backbone: {self.name}", reason, "Build it like residual_cnn in src/realframe/models/backbones.py.")


def get_backbone(name: str) -> Backbone:
    """Return the backbone of a name; ``module:function`` is imported if the settings allow the module.

    Raises:
        ParamsError: the backbone or the function does not exist, or its module is not allowed.
    """
    if ":" in name:
        return Backbone(name, _import_constructor(name), "raw", is_keras=False, published=None)
    if name.lower() in _OWN_NETWORKS:
        return Backbone(name.lower(), _OWN_NETWORKS[name.lower()], "raw", is_keras=False, published=None)
    constructors = _keras_constructors()
    if name.lower() not in constructors:
        hint = f"Choose one of: {', '.join(list_backbones())}; or name your own function as module:function."
        raise ParamsError(f"train.backbone: {name}", "there is no such backbone", hint)
    constructor = constructors[name.lower()]
    pixels = _PIXEL_FORMATS[constructor.__module__.rpartition(".")[2]]
    return Backbone(name.lower(), constructor, pixels, is_keras=True, published=_PUBLISHED.get(name.lower()))


def list_backbones() -> list[str]:
    """Return the names of all backbones that are not user functions; first those whose ImageNet weights realframe downloads itself."""
    return list(dict.fromkeys([*_PUBLISHED, *_OWN_NETWORKS, *_keras_constructors()]))


def _keras_constructors() -> dict[str, Callable[..., keras.Model]]:
    functions = {name.lower(): value for name, value in vars(applications).items() if inspect.isfunction(value)}
    return {name: functions[name] for name in sorted(functions) if "include_top" in inspect.signature(functions[name]).parameters}


def _import_constructor(name: str) -> Callable[..., keras.Model]:
    module_name, _, function_name = name.partition(":")
    subject = f"train.backbone: {name}"
    _check_module_allowed(module_name, subject)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # importing runs any code
        reason = f"the module {module_name or '(none)'} cannot be imported: {type(error).__name__}: {error}"
        raise ParamsError(subject, reason, "Write module:function, and put the folder of the module on PYTHONPATH.") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        known = ", ".join(key for key, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module_name)
        raise ParamsError(subject, f"the module {module_name} has no function {function_name or '(none)'}", f"It has: {known or 'none'}.")
    try:
        inspect.signature(function).bind(include_top=False, weights=None, input_tensor=None)
    except TypeError as error:
        reason = f"{function_name} cannot be called with include_top, weights and input_tensor: {error}"
        raise ParamsError(subject, reason, "Give it the signature of residual_cnn in src/realframe/models/backbones.py.") from error
    return function


def _check_module_allowed(module_name: str, subject: str) -> None:
    """Raise ParamsError unless the settings allow a module and it lies outside the folders of received files. Nothing is imported."""
    settings = get_settings()
    allowed = [name.strip() for name in settings.backbone_modules.split(",") if name.strip()]
    if module_name not in allowed:
        hint = (
            f"Add it to REALFRAME_BACKBONE_MODULES on this machine (now: {', '.join(allowed) or 'none'}). Parameters alone cannot do that."
        )
        raise ParamsError(subject, f"the module {module_name or '(none)'} is not allowed on this machine", hint)
    received = [Path("data"), settings.root / "data", settings.inbox_dir, settings.state_dir / "uploads", settings.state_dir / "feedback"]
    for place in _find_module_places(module_name):
        if any(
            spelling.is_relative_to(folder) for folder in map(Path.resolve, received) for spelling in (place.absolute(), place.resolve())
        ):
            hint = "Move it into a folder of your own and put that folder on PYTHONPATH."
            raise ParamsError(subject, f"the module {module_name} is at {place}, in a folder of received files", hint)


def _find_module_places(module_name: str) -> Iterator[Path]:
    """Yield the files and folders of a module and of the packages that contain it, without running any code."""
    parts, search = module_name.split("."), None
    for count in range(1, len(parts) + 1):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[:count]), search)
        if spec is None:
            return  # the import says so
        if spec.origin:
            yield Path(spec.origin)
        search = list(spec.submodule_search_locations or ())
        yield from map(Path, search)


def _preprocess(frames: keras.KerasTensor, pixels: PixelFormat) -> keras.KerasTensor:
    """Convert [0, 255] to the pixel format of a network, as ``keras.applications.*.preprocess_input``, by layers that load in safe mode."""
    if pixels == "signed":
        return layers.Rescaling(1 / 127.5, offset=-1.0, name="signed_pixels")(frames)
    if pixels == "caffe":
        return layers.Rescaling(1.0, offset=[-mean for mean in _CAFFE_MEANS], name="caffe_pixels")(keras.ops.flip(frames, axis=-1))
    if pixels == "torch":
        scale, offset = 1 / (255 * _TORCH_STDS), -_TORCH_MEANS / _TORCH_STDS
        return layers.Rescaling(scale.tolist(), offset=offset.tolist(), name="torch_pixels")(frames)
    return frames


def _find_unsafe_layers(network: keras.Model) -> list[str]:
    """Return the names of the classes in a network, nested ones included, that Keras does not load in safe mode, sorted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*`lambda`")  # it is found below
        try:
            return sorted(set(_find_unsafe(keras.saving.serialize_keras_object(network))))
        except NotImplementedError as error:  # a layer has no configuration; Keras names it
            return [str(error).strip().partition("\n")[0]]


def _loads_safely(entry: Mapping[str, Any]) -> bool:
    # the module of a class that is not Keras' own is None, or the name that it was registered with
    return f"{entry['module']}.".startswith("keras.") and entry["class_name"] != "Lambda"


def _find_unsafe(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and {"class_name", "module"} <= value.keys() and not _loads_safely(value):
        yield value["class_name"]
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _find_unsafe(item)


_TRUNCATION = 6.0  # gray levels; a larger residual is content
_WIDTHS = (16, 32, 64, 128)
_KERNELS = (
    np.pad([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], 1) / 4,
    np.array([[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]) / 12,
    np.pad([[1, -2, 1]], ((2, 2), (1, 1))) / 2,
)


def residual_cnn(include_top: bool, weights: None, input_tensor: keras.KerasTensor) -> keras.Model:
    """Build a small network that learns from scratch, on the noise residual and not on the content.

    The first layer is fixed: the three high-pass kernels of the Spatial Rich Model (Fridrich and Kodovsky, "Rich Models for Steganalysis of
    Digital Images", IEEE TIFS 2012), as Zhou et al. selected them ("Learning Rich Features for Image Manipulation Detection", CVPR 2018),
    on each channel. The residual is truncated (Fridrich and Kodovsky; as an activation: Ye et al., IEEE TIFS 2017), since large residuals
    are edges of the content. Its stride is 2, which keeps the statistics and is four times as fast (7.5 against 30 ms of CPU per training
    frame of 256x256). Strided convolutions with batch normalization follow.

    Args:
        include_top: must be False; the signature is that of ``keras.applications``.
        weights: must be None.
        input_tensor: float32 (N, size, size, 3) in [0, 255].

    Returns:
        The network, with an output (N, size / 32, size / 32, 128).
    """
    assert not include_top
    assert weights is None
    high_pass = layers.Conv2D(9, 5, strides=2, padding="same", use_bias=False, trainable=False, name=FIXED_LAYER)
    x = high_pass(input_tensor)
    high_pass.set_weights([high_pass_kernel()])
    x = layers.Activation("hard_tanh", name="truncation")(x)
    for number, width in enumerate(_WIDTHS, start=1):
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False, name=f"block{number}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"block{number}_bn")(x)
        x = layers.ReLU(name=f"block{number}_relu")(x)
    return keras.Model(input_tensor, x, name="residual_cnn")


def high_pass_kernel() -> np.ndarray:
    """Return the fixed kernel, float32 (5, 5, 3, 9): each of the three filters on each channel, scaled so that 1 is the truncation."""
    kernel = np.zeros((5, 5, 3, 9), np.float32)
    for channel in range(3):
        for number, values in enumerate(_KERNELS):
            kernel[:, :, channel, 3 * channel + number] = values / _TRUNCATION
    return kernel


_OWN_NETWORKS: dict[str, Callable[..., keras.Model]] = {"residual_cnn": residual_cnn}
"""The networks of this package. Add one entry to add a backbone."""
