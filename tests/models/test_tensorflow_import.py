"""A process of our own imports TensorFlow and Keras quietly and without packages that Keras does not need."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
SCRIPT = """
import sys
from realframe.threads import prepare_import
prepare_import()
import keras
print(sorted({"matplotlib", "sklearn", "IPython"} & set(sys.modules)))
import matplotlib, sklearn.linear_model
print(keras.ops.convert_to_numpy(keras.ops.ones(2)).sum())
"""


def test_keras_is_imported_quietly_and_without_packages_that_others_can_import() -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "2.0"]
    assert done.stderr == ""
