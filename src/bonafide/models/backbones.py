"""The backbones that a recipe may name: how each is built, what it expects of a pixel, and where its ImageNet weights come from."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import applications, layers

from bonafide.errors import ParamsError
from bonafide.models import residual

_KERAS = "https://storage.googleapis.com/keras-applications/"
_TENSORFLOW = "https://storage.googleapis.com/tensorflow/keras-applications/"


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


@dataclass(frozen=True)
class Backbone:
    """A network that turns frames into feature maps.

    Attributes:
        name: as recipes write it.
        constructor: gives the network without its top and with random weights, on a given input tensor.
        native_size: side of the frames that it was designed for, pixels.
        signed_input: it expects pixels in [-1, 1]; else it takes [0, 255] and rescales inside.
        published: its ImageNet weights; None where there are none.
    """

    name: str
    constructor: Callable[..., keras.Model]
    native_size: int
    signed_input: bool
    published: Published | None

    def build(self, frames: keras.KerasTensor) -> keras.Model:
        """Return the network on ``frames``, float32 (N, size, size, 3) in [0, 255], flat, with random weights."""
        pixels = layers.Rescaling(1 / 127.5, offset=-1.0, name="signed_pixels")(frames) if self.signed_input else frames
        return self.constructor(include_top=False, weights=None, input_tensor=pixels)


_ALL = (
    Backbone(
        "efficientnetb0",
        applications.EfficientNetB0,
        224,
        signed_input=False,
        published=Published("efficientnetb0_notop.h5", f"{_KERAS}efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    ),
    Backbone(
        "efficientnetb3",
        applications.EfficientNetB3,
        300,
        signed_input=False,
        published=Published("efficientnetb3_notop.h5", f"{_KERAS}efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226"),
    ),
    Backbone(
        "efficientnetv2b0",
        applications.EfficientNetV2B0,
        224,
        signed_input=False,
        published=Published(
            "efficientnetv2-b0_notop.h5", f"{_TENSORFLOW}efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"
        ),
    ),
    Backbone(
        "mobilenetv2",
        applications.MobileNetV2,
        224,
        signed_input=True,
        published=Published(
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
            f"{_TENSORFLOW}mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
            None,
        ),
    ),
    Backbone(
        "inceptionv3",
        applications.InceptionV3,
        299,
        signed_input=True,
        published=Published(
            "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
            f"{_TENSORFLOW}inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "bcbd6486424b2319ff4ef7d526e38f63",
        ),
    ),
    Backbone("residual_cnn", residual.residual_cnn, 256, signed_input=False, published=None),
)
REGISTRY = {backbone.name: backbone for backbone in _ALL}


def get(name: str) -> Backbone:
    """Return the backbone of that name. Raises ParamsError."""
    if name not in REGISTRY:
        raise ParamsError(f"train.backbone: {name}", "there is no such backbone", f"Choose one of: {', '.join(REGISTRY)}.")
    return REGISTRY[name]
