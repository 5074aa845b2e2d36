"""The sandbox in which the field data are worked on, so that neither they nor the models mix with the user's own.

The data and the ImageNet weights are found by REALFRAME_FIELD_DATA and REALFRAME_WEIGHTS_DIR; neither is part of this repository.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from realframe.errors import SetupError
from realframe.runs.worktree import open_sandbox, without_servers
from realframe.services.airflow_home import environment
from realframe.settings import Settings

SHARED = Path("..") / "shared"


def field_data() -> Path:
    """Return the folder of the field data; end with a sentence where there is none."""
    data = Path(os.environ.get("REALFRAME_FIELD_DATA", SHARED / "data")).resolve()
    if not (data / "MANIFEST.csv").exists():
        raise SystemExit(f"{data} has no MANIFEST.csv; name the folder with the field data by REALFRAME_FIELD_DATA")
    return data


class Field:
    """The sandbox.

    Args:
        settings: of the checkout.
        data: the folder of the field data.
    """

    def __init__(self, settings: Settings, data: Path) -> None:
        self.settings = open_sandbox("field", settings)
        self.data = data
        weights = _weights(Path(os.environ.get("REALFRAME_WEIGHTS_DIR", SHARED / "weights")).resolve(), self.settings.state / "weights")
        self.environment = without_servers(environment(self.settings)) | {"REALFRAME_WEIGHTS_DIR": str(weights)}

    def prepare(self, settings: Mapping[str, str]) -> None:
        """Take the data in and make a dataset version, under settings by dotted key."""
        self.realframe("ingest", str(self.data), "--manifest", str(self.data / "MANIFEST.csv"))
        self.realframe("run", "prepare_data", *_options(settings))

    def train(self, settings: Mapping[str, str]) -> str:
        """Train and evaluate; return the run's branch."""
        said = self.realframe("run", "train_model", *_options(settings))
        return str(re.findall(r"branch (runs/[\w-]+)", said)[-1])

    def realframe(self, *arguments: str) -> str:
        """Run a command in the sandbox and return what it printed. Raises SetupError."""
        command = [sys.executable, "-m", "realframe", *arguments]
        done = subprocess.run(command, cwd=self.settings.root, env=self.environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
        sys.stdout.write(done.stdout)
        if done.returncode:
            raise SetupError(" ".join(command[1:]), f"ended with status {done.returncode}", "Its own message is above.")
        return done.stdout


def _options(settings: Mapping[str, str]) -> list[str]:
    return [part for key, value in settings.items() for part in ("-S", f"{key}={value}")]


def _weights(given: Path, folder: Path) -> Path:
    """Return a folder of links to the given weights under the names by which recipes look for them.

    MobileNetV2's come with BatchNormalization folded into the kernels, right only while frozen; the recipes that use them keep it so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in given.glob("*.weights.h5"):
        name = re.sub(r"_a100_224_notop_bnfolded|_notop", "_notop", file.name)
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(file)
    return folder
