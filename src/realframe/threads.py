"""Set the thread counts of TensorFlow, in the process of a stage or command and in that of a worker; import it quietly and quickly.

The number comes from ``settings.workers`` (``REALFRAME_WORKERS``) or from ``--threads`` of a worker.
"""

import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


def configure_tensorflow(threads: int, seed: int) -> None:
    """Set TensorFlow's thread counts and all random seeds, and turn on deterministic operations; call it before TensorFlow is used.

    Args:
        threads: threads within one operation. Two operations may run at once, so that one can feed the other.
        seed: of the random generators of Python, NumPy and TensorFlow.
    """
    import keras  # imported here: the worker calls the function below before it imports TensorFlow
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def set_thread_variables(threads: int) -> None:
    """Set the environment variables from which TensorFlow reads its thread counts when it is imported; one operation runs at a time.

    Args:
        threads: threads within one operation.
    """
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}


def prepare_import() -> None:
    """Make the next import of TensorFlow and Keras quiet, and shorter by a quarter; call it at the start of a process of our own.

    It discards what the C++ code of TensorFlow writes to standard error while it is imported and looks for devices: it writes these
    messages before it reads TF_CPP_MIN_LOG_LEVEL. Later messages, and the errors of the import itself, are not affected. Keras is not
    given matplotlib, scikit-learn and IPython, which it imports for functions that nothing here calls; other modules can import them.
    """
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path[:0] = [_QuietFinder(), _OptionalForKeras()]


class _QuietFinder(MetaPathFinder):
    """Wraps the next import of TensorFlow."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _load_quietly(load, module)  # type: ignore[method-assign]
        return spec


class _OptionalForKeras(MetaPathFinder):
    """Refuses packages that Keras imports where they are installed, for its pictures of networks and its scikit-learn estimators."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in ("matplotlib", "sklearn", "IPython") and _importing_module().startswith("keras."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def _importing_module() -> str:
    frame = inspect.currentframe()
    while frame and (frame.f_globals.get("__name__") == __name__ or frame.f_code.co_filename.startswith("<frozen importlib")):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")) if frame else ""


def _load_quietly(load: Callable[[ModuleType], None], module: ModuleType) -> None:
    from realframe.logs import silence_stderr  # here, since few processes import TensorFlow

    with silence_stderr():
        load(module)
        module.config.list_physical_devices()
