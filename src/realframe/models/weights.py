"""Where a backbone's weights come from. What was asked for and can't be had is an error; nothing else is ever put in its place."""

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

from realframe.errors import WeightsError
from realframe.files import link_or_copy, sha256_of
from realframe.models.backbones import Backbone
from realframe.settings import Settings

_NETWORK_TIMEOUT_S = 10
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class Weights:
    """Weights that are there.

    Attributes:
        name: ``imagenet``, ``random`` or the file's path as it was given.
        path: the file; None for random weights.
        sha256: of the file; empty for random weights.
        imagenet: the file holds the ImageNet weights that ``keras.applications`` loads.
    """

    name: str
    path: Path | None
    sha256: str
    imagenet: bool


def find(choice: str, backbone: Backbone, settings: Settings) -> Weights:
    """Find the weights that ``train.weights`` asks for.

    Args:
        choice: ``imagenet`` (from the folder of weights, else by Keras' loader), ``random``, or the path of a file.
        backbone: whose weights.
        settings: say where the folder of weights is, and the cache folder, where what Keras' loader got without a file of its own is kept.

    Raises:
        WeightsError: they can't be had, or are damaged.
    """
    if choice == "random":
        return Weights("random", None, "", imagenet=False)
    path = _imagenet_file(backbone, settings) if choice == "imagenet" else Path(choice)
    if not path.is_file():
        raise WeightsError(path, "there is no such weights file", "Name a .weights.h5 file, or set train.weights to imagenet or random.")
    imagenet = choice == "imagenet" or (backbone.published is not None and _md5_of(path) == backbone.published.md5)
    return Weights(choice, path, sha256_of(path), imagenet)


def load(model: keras.Model, found: Weights) -> None:
    """Load found weights into a backbone that was built with random ones. Raises WeightsError where they don't fit."""
    if found.path is None:
        return
    try:
        with _under_a_name_keras_knows(found.path) as path, warnings.catch_warnings():
            warnings.filterwarnings("error", message="Skipping nested container", category=UserWarning)  # layers would stay random
            model.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        reason = f"does not fit the backbone {model.name}: {str(error).splitlines()[0]}"
        raise WeightsError(found.path, reason, "Use weights that were saved from this backbone without its top.") from error
    if found.imagenet and model.name.startswith("efficientnetb"):
        _fold_input_scale(model)


def _imagenet_file(backbone: Backbone, settings: Settings) -> Path:
    if not backbone.of_keras:
        hint = "Set train.weights to random, or to the path of a .weights.h5 file."
        raise WeightsError(f"{backbone.name} with ImageNet weights", "Keras publishes none for this network", hint)
    published = backbone.published
    for name in (_file_name(backbone), *([published.file] if published else [])) if settings.weights_dir else ():
        path = settings.weights_dir / name  # type: ignore[operator]
        if path.is_file():
            return _checked(path, backbone)
    if published is None:
        return _by_constructor(backbone, settings.cache_dir / "weights" / _file_name(backbone))
    try:
        with _impatient():
            return Path(keras.utils.get_file(published.file, published.origin, cache_subdir="models", file_hash=published.md5))
    except Exception as error:  # get_file raises bare Exception for what the network does, ValueError for a wrong checksum
        raise _cannot_be_had(backbone, error) from error


def _by_constructor(backbone: Backbone, target: Path) -> Path:
    """Let Keras' own loader get the weights, and keep them as ``target``; they do not depend on the size of the frames."""
    if target.is_file():
        return target
    try:
        with _impatient(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`input_shape` is undefined", category=UserWarning)  # the default is what is wanted
            network = backbone.constructor(include_top=False, weights="imagenet")
    except Exception as error:  # as get_file, by which Keras loads
        raise _cannot_be_had(backbone, error) from error
    with tempfile.TemporaryDirectory() as folder:  # Keras writes to names in .weights.h5 only
        file = Path(folder) / target.name
        network.save_weights(file)
        link_or_copy(file, target)
    return target


def _checked(path: Path, backbone: Backbone) -> Path:
    published = backbone.published
    if published and path.name == published.file and published.md5 and _md5_of(path) != published.md5:
        raise WeightsError(
            path, f"its MD5 is not {published.md5}, which Keras publishes: it is damaged", f"Get it again: {published.origin}"
        )
    return path


def _cannot_be_had(backbone: Backbone, error: Exception) -> WeightsError:
    published = backbone.published
    reason = f"can't be had: {(str(error) or type(error).__name__).splitlines()[0]}"
    without = "To go on without, set train.weights to random."
    if published is None:
        constructor = f"keras.applications.{backbone.constructor.__name__}(include_top=False, weights='imagenet')"
        hint = (
            f"On a machine with a network, run python -c \"import keras; {constructor}.save_weights('{_file_name(backbone)}')\" "
            f"and put {_file_name(backbone)} into a folder that REALFRAME_WEIGHTS_DIR names. {without}"
        )
        return WeightsError(f"ImageNet weights of {backbone.name}", reason, hint)
    checksum = f"MD5 {published.md5}" if published.md5 else "Keras publishes no checksum of it"
    home = Path(os.environ.get("KERAS_HOME", "~/.keras"))
    hint = (
        f"On a machine with a network, get {published.origin} ({checksum}) and put it into {home / 'models'}, or into a folder that "
        f"REALFRAME_WEIGHTS_DIR names (there {_file_name(backbone)} is also found). {without}"
    )
    return WeightsError(f"ImageNet weights of {backbone.name} ({published.file})", reason, hint)


def _file_name(backbone: Backbone) -> str:
    return f"{backbone.name}_notop.weights.h5"


@contextmanager
def _impatient() -> Iterator[None]:
    """Let no socket wait longer than a person would."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_NETWORK_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def _under_a_name_keras_knows(path: Path) -> Iterator[Path]:
    """Keras tells its two file layouts apart by the name alone; give the file the name that its content asks for."""
    with h5py.File(path, "r") as file:
        suffix = ".h5" if "layer_names" in file.attrs else ".weights.h5"
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"backbone{suffix}"
        link.symlink_to(path.resolve())
        yield link


def _fold_input_scale(model: keras.Model) -> None:
    """Make EfficientNet V1 see its input as ``keras.applications.EfficientNetB*(weights="imagenet")`` does.

    There Keras adds a layer that divides the normalized input by the square root of ImageNet's standard deviation, which it leaves out
    with ``weights=None`` (https://github.com/tensorflow/tensorflow/issues/49930). The same factor goes into the variance here, so that
    the graph does not depend on the weights.
    """
    normalization = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    mean, variance, *count = normalization.get_weights()
    normalization.set_weights([mean, variance * _IMAGENET_STD, *count])
    normalization.finalize_state()


def _md5_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
