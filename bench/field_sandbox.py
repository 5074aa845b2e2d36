"""Run the pipeline on the field data in a sandbox, separate from the user's data and models.

REALFRAME_FIELD_DATA and REALFRAME_FIELD_SOURCES name the folders of the data, REALFRAME_WEIGHTS_DIR that of the ImageNet weights; none of
them is in this repository.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from realframe.errors import SetupError
from realframe.runs.git_dvc import open_sandbox, without_server_variables
from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings

SHARED = Path("..") / "shared"


def field_data_folder() -> Path:
    """Return the folder of the field data: one image source, ten video generators. Exit with a message if there is none."""
    return _find_folder("REALFRAME_FIELD_DATA", "data")


def field_sources_folder() -> Path:
    """Return the folder of the media of many small sources; exit with a message if there is none."""
    return _find_folder("REALFRAME_FIELD_SOURCES", "data-sources")


def _find_folder(variable: str, name: str) -> Path:
    data = Path(os.environ.get(variable, SHARED / name)).resolve()
    if not (data / "MANIFEST.csv").exists():
        raise SystemExit(f"{data} has no MANIFEST.csv; set {variable} to a folder of media with a MANIFEST.csv")
    return data


class FieldSandbox:
    """A sandbox with the field data.

    Args:
        name: of the sandbox. Each use has its own, since items keep the split of the dataset version before.
        settings: of the checkout.
        folders: the folders of the media, each with a MANIFEST.csv.
    """

    def __init__(self, name: str, settings: Settings, *folders: Path) -> None:
        self.settings = open_sandbox(name, settings)
        self.folders = folders
        weights = _link_weights(
            Path(os.environ.get("REALFRAME_WEIGHTS_DIR", SHARED / "weights")).resolve(), self.settings.state_dir / "weights"
        )
        self.environment = without_server_variables(airflow_environment(self.settings)) | {"REALFRAME_WEIGHTS_DIR": str(weights)}

    def prepare(self, settings: Mapping[str, str]) -> None:
        """Ingest the data and make a dataset version, with parameters by dotted key."""
        for folder in self.folders:
            self.realframe("ingest", str(folder), "--label-csv", str(folder / "MANIFEST.csv"))
        self.realframe("run", "prepare_data", *_options(settings))

    def train(self, settings: Mapping[str, str]) -> str:
        """Train and evaluate; return the run's branch."""
        printed = self.realframe("run", "train_model", *_options(settings))
        return str(re.findall(r"branch (runs/[\w-]+)", printed)[-1])

    def realframe(self, *arguments: str) -> str:
        """Run a command in the sandbox and return its output. Raises SetupError."""
        command = [sys.executable, "-m", "realframe", *arguments]
        process = subprocess.run(command, cwd=self.settings.root, env=self.environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
        sys.stdout.write(process.stdout)
        if process.returncode:
            raise SetupError(" ".join(command[1:]), f"ended with status {process.returncode}", "See its message above.")
        return process.stdout


def _options(settings: Mapping[str, str]) -> list[str]:
    return [part for key, value in settings.items() for part in ("-S", f"{key}={value}")]


def _link_weights(source: Path, folder: Path) -> Path:
    """Link the weights of ``source`` in ``folder`` under the file names that recipes expect; return ``folder``.

    The MobileNetV2 weights have BatchNormalization folded into the kernels, which is valid only for a frozen backbone; the recipes that
    use them keep it frozen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.weights.h5"):
        name = re.sub(r"_a100_224_notop_bnfolded|_notop", "_notop", file.name)
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(file)
    return folder
