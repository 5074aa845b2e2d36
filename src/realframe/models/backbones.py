"""A small network that learns from scratch: it looks at the noise residual, not at the content.

The first layer is fixed: the three high-pass kernels of the Spatial Rich Model (Fridrich and Kodovsky, "Rich Models for Steganalysis of
Digital Images", IEEE TIFS 2012), as Zhou et al. chose them ("Learning Rich Features for Image Manipulation Detection", CVPR 2018), on each
colour. The residual is truncated (Fridrich and Kodovsky; as an activation: Ye et al., IEEE TIFS 2017), since large residuals are edges
of the content. It is taken at every second pixel of every second row, which keeps its statistics and is four times as fast (7.5 against
30 ms of CPU per training frame of 256x256). Strided convolutions with batch normalization follow.

The backbones that a recipe may name: how each is built, what it expects of a pixel, and where its ImageNet weights come from.

There are three kinds: the networks of ``keras.applications`` in any case (``resnet50``, ``VGG16``), ``residual_cnn`` of this package,
and a function of one's own as ``module:function``, with the signature of ``models/backbones.py``.
"""

import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
from keras import applications, layers

from realframe.errors import ParamsError

FIXED_LAYER = "high_pass"  # never trained
_TRUNCATION = 6.0  # grey levels; a larger residual is content
_WIDTHS = (16, 32, 64, 128)
_KERNELS = (
    np.pad([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], 1) / 4,
    np.array([[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]) / 12,
    np.pad([[1, -2, 1]], ((2, 2), (1, 1))) / 2,
)


def residual_cnn(include_top: bool, weights: None, input_tensor: keras.KerasTensor) -> keras.Model:
    """Return the network on ``input_tensor``, float32 (N, size, size, 3) in [0, 255], with the signature of ``keras.applications``.

    Its output has a 32nd of the side and 128 features.
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
    """Return the fixed kernel, float32 (5, 5, 3, 9): each colour under each of the three filters; 1 stands for the truncation."""
    kernel = np.zeros((5, 5, 3, 9), np.float32)
    for colour in range(3):
        for number, values in enumerate(_KERNELS):
            kernel[:, :, colour, 3 * colour + number] = values / _TRUNCATION
    return kernel


Pixels = Literal["raw", "signed", "caffe", "torch"]

_KERAS = "https://storage.googleapis.com/keras-applications/"
_TENSORFLOW = "https://storage.googleapis.com/tensorflow/keras-applications/"
_CAFFE_MEANS = (103.939, 116.779, 123.68)  # of ImageNet: blue, green, red
_TORCH_MEANS = np.array([0.485, 0.456, 0.406])  # of ImageNet: red, green, blue, for pixels in [0, 1]
_TORCH_STDS = np.array([0.229, 0.224, 0.225])
_PIXELS: dict[str, Pixels] = {  # by the module of keras.applications
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
class Published:
    """The file from which Keras' own loader takes ImageNet weights.

    Attributes:
        file: its name in ``$KERAS_HOME/models``.
        origin: the address that Keras downloads it from.
        md5: the checksum that Keras publishes; None where it publishes none.
    """

    file: str
    origin: str
    md5: str | None


_PUBLISHED = {
    "efficientnetb0": Published("efficientnetb0_notop.h5", f"{_KERAS}efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    "efficientnetb3": Published("efficientnetb3_notop.h5", f"{_KERAS}efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226"),
    "efficientnetv2b0": Published(
        "efficientnetv2-b0_notop.h5", f"{_TENSORFLOW}efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"
    ),
    "mobilenetv2": Published(
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        f"{_TENSORFLOW}mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        None,
    ),
    "inceptionv3": Published(
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{_TENSORFLOW}inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
}


@dataclass(frozen=True)
class Backbone:
    """A network that turns frames into feature maps.

    Attributes:
        name: as recipes write it; of a network of ``keras.applications`` in lower case.
        constructor: gives the network without its top and with random weights, on a given input tensor.
        pixels: what the constructor's network expects: ``raw``, [0, 255] (it rescales inside); ``signed``, [-1, 1]; ``caffe``, blue, green,
            red less ImageNet's means; ``torch``, [0, 1] less ImageNet's means over its standard deviations.
        of_keras: it is one of ``keras.applications``, so that Keras has ImageNet weights of it.
        published: the file of those, where realframe gets and checks it itself; else None.
    """

    name: str
    constructor: Callable[..., keras.Model]
    pixels: Pixels
    of_keras: bool
    published: Published | None

    def build(self, frames: keras.KerasTensor) -> keras.Model:
        """Return the network on ``frames``, float32 (N, size, size, 3) in [0, 255], flat, with random weights, preprocessing inside.

        Raises:
            ParamsError: it can't take frames of this size, or a function of one's own returns what can't be a backbone.
        """
        size = frames.shape[1]
        shape = {"input_shape": (size, size, 3)} if self.of_keras else {}  # with it, Keras says which size is the least
        try:
            network = self.constructor(include_top=False, weights=None, input_tensor=_prepared(frames, self.pixels), **shape)
        except ValueError as error:
            raise self._refusal(size, error) from error
        if not self.of_keras:
            self._check(network, frames)
        return network

    def _refusal(self, size: int, error: ValueError) -> ParamsError:
        least = re.search(r"at least (\d+)x", str(error))
        hint = f"Set clean.size to at least {least[1]}." if least else "Set a larger clean.size, or mend the network."
        reason = f"the backbone {self.name} can't be built on frames of this size: {str(error).partition(chr(10))[0]}"
        return ParamsError(f"clean.size: {size}", reason, hint)

    def _check(self, network: keras.Model, frames: keras.KerasTensor) -> None:
        """Hold a network that is not Keras' to what a detector asks of it."""
        reason = ""
        if not isinstance(network, keras.Model):
            reason = f"the function returns {type(network).__name__}, not a keras.Model"
        elif len(network.inputs) != 1 or network.inputs[0] is not frames:
            reason = "the network does not begin at input_tensor"
        elif len(network.outputs) != 1 or len(network.outputs[0].shape) != 4:
            reason = "the network's output is not one set of feature maps (N, height, width, channels)"
        elif foreign := sorted({type(layer).__name__ for layer in network._flatten_layers() if not _loads_safely(layer)}):
            reason = f"a saved detector can't be loaded in safe mode with these layers: {', '.join(foreign)}"
        if reason:
            raise ParamsError(f"train.backbone: {self.name}", reason, "Build it as src/realframe/models/backbones.py does.")


def get(name: str) -> Backbone:
    """Return the backbone of that name; ``module:function`` is imported.

    Raises:
        ParamsError: there is no such backbone, or no such function.
    """
    if ":" in name:
        return Backbone(name, _own_function(name), "raw", of_keras=False, published=None)
    if name.lower() == "residual_cnn":
        return Backbone("residual_cnn", residual_cnn, "raw", of_keras=False, published=None)
    constructors = _keras_constructors()
    if name.lower() not in constructors:
        hint = f"Choose one of: {', '.join(names())}; or name a function of your own as module:function."
        raise ParamsError(f"train.backbone: {name}", "there is no such backbone", hint)
    constructor = constructors[name.lower()]
    pixels = _PIXELS[constructor.__module__.rpartition(".")[2]]
    return Backbone(name.lower(), constructor, pixels, of_keras=True, published=_PUBLISHED.get(name.lower()))


def names() -> list[str]:
    """Return every name that is no ``module:function``; those whose ImageNet weights realframe gets and checks itself come first."""
    return list(dict.fromkeys([*_PUBLISHED, "residual_cnn", *_keras_constructors()]))


def _keras_constructors() -> dict[str, Callable[..., keras.Model]]:
    functions = {name.lower(): value for name, value in vars(applications).items() if inspect.isfunction(value)}
    return {name: functions[name] for name in sorted(functions) if "include_top" in inspect.signature(functions[name]).parameters}


def _own_function(name: str) -> Callable[..., keras.Model]:
    module_name, _, function_name = name.partition(":")
    thing = f"train.backbone: {name}"
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the module does while it is imported
        reason = f"the module {module_name or '(none)'} can't be imported: {type(error).__name__}: {error}"
        raise ParamsError(thing, reason, "Write module:function, and put the folder of the module on PYTHONPATH.") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        known = ", ".join(key for key, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module_name)
        raise ParamsError(thing, f"the module {module_name} has no function {function_name or '(none)'}", f"It has: {known or 'none'}.")
    try:
        inspect.signature(function).bind(include_top=False, weights=None, input_tensor=None)
    except TypeError as error:
        reason = f"{function_name} can't be called with include_top, weights and input_tensor: {error}"
        raise ParamsError(thing, reason, "Give it the signature of residual_cnn in src/realframe/models/backbones.py.") from error
    return function


def _prepared(frames: keras.KerasTensor, pixels: Pixels) -> keras.KerasTensor:
    """Turn [0, 255] into what a network expects, as ``keras.applications.*.preprocess_input`` does, by what loads in safe mode."""
    if pixels == "signed":
        return layers.Rescaling(1 / 127.5, offset=-1.0, name="signed_pixels")(frames)
    if pixels == "caffe":
        return layers.Rescaling(1.0, offset=[-mean for mean in _CAFFE_MEANS], name="caffe_pixels")(keras.ops.flip(frames, axis=-1))
    if pixels == "torch":
        scale, offset = 1 / (255 * _TORCH_STDS), -_TORCH_MEANS / _TORCH_STDS
        return layers.Rescaling(scale.tolist(), offset=offset.tolist(), name="torch_pixels")(frames)
    return frames


def _loads_safely(layer: keras.layers.Layer) -> bool:
    return type(layer).__module__.startswith("keras.") and not isinstance(layer, layers.Lambda)
