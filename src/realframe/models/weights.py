"""Find and load the weights of a backbone. Weights that are not available are an error; no others are used instead."""

import hashlib
import os
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np

from realframe.caching.eviction import record_use
from realframe.errors import WeightsError
from realframe.files import compute_sha256, link_or_copy
from realframe.models.backbones import Backbone
from realframe.settings import Settings

_NETWORK_TIMEOUT_S = 10
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class BackboneWeights:
    """Available weights of a backbone.

    Attributes:
        name: ``imagenet``, ``random`` or the path of the file, as in ``train.weights``.
        path: the file; None for random weights.
        sha256: digest of the file; empty for random weights.
        is_imagenet: the file holds the ImageNet weights that ``keras.applications`` loads.
    """

    name: str
    path: Path | None
    sha256: str
    is_imagenet: bool


def find_weights(choice: str, backbone: Backbone, settings: Settings) -> BackboneWeights:
    """Find the weights that ``train.weights`` names.

    Args:
        choice: ``imagenet`` (from the folder of weights, else by the loader of Keras), ``random``, or the path of a file.
        backbone: the backbone.
        settings: the folder of weights, and the cache folder for weights that the loader of Keras downloads.

    Raises:
        WeightsError: the weights are not available, or damaged.
    """
    if choice == "random":
        return BackboneWeights("random", None, "", is_imagenet=False)
    path = _find_imagenet_file(backbone, settings) if choice == "imagenet" else Path(choice)
    if not path.is_file():
        raise WeightsError(path, "does not exist", "Name a .weights.h5 file, or set train.weights to imagenet or random.")
    imagenet = choice == "imagenet" or (backbone.published is not None and _compute_md5(path) == backbone.published.md5)
    return BackboneWeights(choice, path, compute_sha256(path), imagenet)


def load_weights(model: keras.Model, weights: BackboneWeights) -> None:
    """Load weights into a backbone that was built with random weights. Raises WeightsError where they do not fit."""
    if weights.path is None:
        return
    try:
        with _link_with_keras_suffix(weights.path) as path, warnings.catch_warnings():
            warnings.filterwarnings("error", message="Skipping nested container", category=UserWarning)  # these layers would stay random
            model.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        reason = f"does not fit the backbone {model.name}: {str(error).splitlines()[0]}"
        raise WeightsError(weights.path, reason, "Use weights that were saved from this backbone without its top.") from error
    if weights.is_imagenet and model.name.startswith("efficientnetb"):
        _fold_input_scale(model)


def _find_imagenet_file(backbone: Backbone, settings: Settings) -> Path:
    if not backbone.is_keras:
        hint = "Set train.weights to random, or to the path of a .weights.h5 file."
        raise WeightsError(f"{backbone.name} with ImageNet weights", "Keras publishes none for this network", hint)
    published = backbone.published
    for name in (_weights_file_name(backbone), *([published.file] if published else [])) if settings.weights_dir else ():
        path = settings.weights_dir / name  # type: ignore[operator]
        if path.is_file():
            return _verify_checksum(path, backbone)
    if published is None:
        return _download_with_keras(backbone, settings.cache_dir / "weights" / _weights_file_name(backbone))
    try:
        with _limit_network_timeout():
            return Path(keras.utils.get_file(published.file, published.origin, cache_subdir="models", file_hash=published.md5))
    except Exception as error:  # get_file raises Exception for network errors, ValueError for a wrong checksum
        raise _unavailable_error(backbone, error) from error


def _download_with_keras(backbone: Backbone, target: Path) -> Path:
    """Download the weights with the loader of Keras, and save them as ``target``. They do not depend on the size of the frames."""
    if target.is_file():
        record_use(target)
        return target
    try:
        with _limit_network_timeout(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`input_shape` is undefined", category=UserWarning)  # the default is right
            network = backbone.constructor(include_top=False, weights="imagenet")
    except Exception as error:  # as above: Keras calls get_file
        raise _unavailable_error(backbone, error) from error
    with tempfile.TemporaryDirectory() as folder:  # Keras writes only to names that end in .weights.h5
        file = Path(folder) / target.name
        network.save_weights(file)
        link_or_copy(file, target)
    return target


def _verify_checksum(path: Path, backbone: Backbone) -> Path:
    published = backbone.published
    if published and path.name == published.file and published.md5 and _compute_md5(path) != published.md5:
        raise WeightsError(
            path, f"its MD5 is not {published.md5}, which Keras publishes: it is damaged", f"Download it again: {published.origin}"
        )
    return path


def _unavailable_error(backbone: Backbone, error: Exception) -> WeightsError:
    published = backbone.published
    reason = f"are not available: {(str(error) or type(error).__name__).splitlines()[0]}"
    random_hint = "To train without them, set train.weights to random."
    if published is None:
        constructor = f"keras.applications.{backbone.constructor.__name__}(include_top=False, weights='imagenet')"
        hint = (
            f"On a machine with a network, run python -c \"import keras; {constructor}.save_weights('{_weights_file_name(backbone)}')\" "
            f"and put {_weights_file_name(backbone)} into a folder that REALFRAME_WEIGHTS_DIR names. {random_hint}"
        )
        return WeightsError(f"ImageNet weights of {backbone.name}", reason, hint)
    checksum = f"MD5 {published.md5}" if published.md5 else "Keras publishes no checksum"
    home = Path(os.environ.get("KERAS_HOME", "~/.keras"))
    hint = (
        f"On a machine with a network, download {published.origin} ({checksum}) and put it into {home / 'models'}, or into a folder that "
        f"REALFRAME_WEIGHTS_DIR names (there {_weights_file_name(backbone)} is also found). {random_hint}"
    )
    return WeightsError(f"ImageNet weights of {backbone.name} ({published.file})", reason, hint)


def _weights_file_name(backbone: Backbone) -> str:
    return f"{backbone.name}_notop.weights.h5"


@contextmanager
def _limit_network_timeout() -> Iterator[None]:
    """Set a short timeout for all sockets."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_NETWORK_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def _link_with_keras_suffix(path: Path) -> Iterator[Path]:
    """Link a file under the suffix of its layout: Keras tells its two file layouts apart by the name alone."""
    with h5py.File(path, "r") as file:
        suffix = ".h5" if "layer_names" in file.attrs else ".weights.h5"
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"backbone{suffix}"
        link.symlink_to(path.resolve())
        yield link


def _fold_input_scale(model: keras.Model) -> None:
    """Scale the input of EfficientNet V1 as ``keras.applications.EfficientNetB*(weights="imagenet")`` does.

    There Keras adds a layer that divides the normalized input by the square root of ImageNet's standard deviation. It omits this layer with
    ``weights=None`` (https://github.com/tensorflow/tensorflow/issues/49930). Here the same factor goes into the variance, so that the
    graph does not depend on the weights.
    """
    normalization = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    mean, variance, *count = normalization.get_weights()
    normalization.set_weights([mean, variance * _IMAGENET_STD, *count])
    normalization.finalize_state()


def _compute_md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
