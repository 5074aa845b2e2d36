"""Turns the trained Keras file into an MLflow model: the very bytes that were evaluated, with signature, input example and origin."""

import shutil
from pathlib import Path
from typing import Any

import keras
import mlflow.keras
import numpy as np
import tensorflow as tf
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from bonafide.errors import RegistryError

_GREY = 127.5


class _KerasFile:
    """MLflow's Keras flavour, but for a file that is there already.

    MLflow saves the model anew, into other bytes than those that were evaluated and whose hash the ledger keeps; and it fails with an
    input example (mlflow issue 16183), since it writes that into a folder that it has not made yet.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def save_model(self, path: str, **facts: Any) -> None:
        facts.pop("validate_serving_input")  # it is for MLflow, which hands it on
        folder = Path(path)
        folder.mkdir(parents=True)
        mlflow.keras.save_model(path=path, **facts)
        shutil.copyfile(self._file, folder / "data" / "model.keras")


def log_keras_file(path: Path, name: str, origin: dict[str, Any]) -> str:
    """Log a ``.keras`` file into the active MLflow run and return the address of the logged model.

    The file is loaded in safe mode: one that carries code is refused here and not where it serves.

    Args:
        path: takes float32 RGB (None, size, size, 3) in [0, 255], gives (None, 1) the probability of ``fake``.
        name: of the logged model.
        origin: goes into the model's metadata as ``bonafide``.

    Raises:
        RegistryError: the file carries code or is no Keras file.
    """
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except ValueError as error:
        cure = "Build the model of layers that need no code of their own."
        raise RegistryError(path, f"can't be loaded in safe mode: {error}", cure) from error
    frame = model.input_shape[1:]
    takes, gives = (TensorSpec(np.dtype(np.float32), (-1, *shape)) for shape in (frame, (1,)))
    logged = Model.log(
        None,
        _KerasFile(path),
        name=name,
        flavor_name="keras",
        model=model,
        signature=ModelSignature(Schema([takes]), Schema([gives])),
        input_example=np.full((1, *frame), _GREY, np.float32),
        validate_serving_input=False,  # a second load and a prediction, for an example that has the model's own shape
        metadata={"bonafide": origin},
        pip_requirements=[f"{package.__name__}=={package.__version__}" for package in (keras, tf, np)],
    )
    return str(logged.model_uri)
