"""The settings of one machine, from environment variables: folders, addresses, limits and threads. No setting changes a result.

The complete list of variables, those of other programs included, is in ``docs/settings.md``. ``threads.py`` applies the thread count.
"""

import os
import re
import subprocess
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from realframe.errors import SetupError
from realframe.permissions import open_private_folder

MLFLOW_DATABASE = "mlflow.db"
"""The file in the state folder that holds MLflow's runs and versions, where no tracking server is named."""


class Settings(BaseSettings):
    """The settings of this process; the environment variable ``REALFRAME_<NAME>`` sets the field ``<name>``."""

    model_config = SettingsConfigDict(env_prefix="REALFRAME_", frozen=True, extra="ignore", env_ignore_empty=True)

    root: Path = Field(
        default_factory=lambda: _find_checkout(), description="the checkout whose pipeline runs; default: that of the working folder"
    )
    home: Path | None = Field(default=None, description="folder of this checkout's state; default: ROOT/.realframe")
    inbox: Path | None = Field(default=None, description="folder that prepare_data checks for new files; default: ROOT/inbox")
    weights_dir: Path | None = Field(default=None, description="folder with pretrained weights, <backbone>_notop.weights.h5")
    workers: int = Field(
        default_factory=lambda: _count_cores(), description="processes and threads of a stage; default: the cores of this machine"
    )
    remote_url: str | None = Field(default=None, description="URL of the DVC remote; default: a folder in the state folder")
    git_remote: str | None = Field(default=None, description="git remote to which runs are pushed")
    mongodb_uri: str | None = Field(
        default=None, validation_alias="MONGODB_URI", description="address of MongoDB; default: an embedded store in the state folder"
    )
    mongodb_password: str | None = Field(
        default=None,
        validation_alias="MONGODB_PASSWORD",
        description="password of the user that MONGODB_URI names; it may contain any character",
    )
    mongodb_database: str = Field(default="realframe", description="name of the MongoDB database")
    mlflow_tracking_uri: str | None = Field(
        default=None,
        validation_alias="MLFLOW_TRACKING_URI",
        description="address of the MLflow server; default: SQLite in the state folder",
    )
    queue_limit: int = Field(default=200, ge=1, description="files that may wait to be scored; above it the API answers 429")
    batch_limit: int = Field(default=20_000, ge=1, description="files uploaded as batches that may wait in addition to queue_limit")
    upload_max_bytes: int = Field(default=512_000_000, ge=1, description="size limit of one uploaded file, bytes")
    uploads_per_minute: int = Field(default=240, ge=1, description="uploads per minute of one account or API key")
    keep_days: int = Field(default=30, ge=0, description="days after which an uploaded file is deleted; its result stays. 0: never")
    file_timeout_s: float = Field(
        default=1800.0, gt=0, description="seconds that a worker may spend on one file; then it ends, and another one tries again"
    )
    cache_gb: float = Field(
        default=50.0,
        gt=0,
        description="size limit of the caches of a checkout, GB (10^9 bytes); the least recently used entries are deleted",
    )
    backbone_modules: str = Field(
        default="",
        description="modules, separated by commas, whose functions a recipe may name as train.backbone (module:function); none by default",
    )
    trust_list: Path | None = Field(default=None, description="PEM file of the certificates whose content credentials are trusted")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        description="address of the web page behind a proxy, such as https://realframe.example.org: share links begin with it, and the "
        "proxy's X-Forwarded headers are read. Default: share links have no host, and those headers are ignored",
    )
    keep_failed_runs: int = Field(
        default=5, ge=0, description="failed and killed pipeline runs whose folders stay; the next run removes older ones"
    )
    dagshub_repo: str | None = Field(default=None, description="repository on DagsHub, OWNER/REPO")
    dagshub_user_token: str | None = Field(default=None, validation_alias="DAGSHUB_USER_TOKEN", description="access token for DagsHub")

    @property
    def state_dir(self) -> Path:
        """The folder of this checkout's state, which only its user can open: it is created with mode 0700.

        Raises SetupError if it belongs to another user.
        """
        folder = self.home or self.root / ".realframe"
        return open_private_folder(folder) if self.home or self.root.is_dir() else folder

    @property
    def raw_dir(self) -> Path:
        """The folder of original media; each run takes a snapshot of it."""
        return self.root / "data" / "raw"

    @property
    def regression_dir(self) -> Path:
        """The folder of the regression set; each training run takes a snapshot of it."""
        return self.root / "data" / "regression"

    @property
    def feedback_dir(self) -> Path:
        """The folder of the files that people have labeled."""
        return self._open_subfolder("feedback")

    @property
    def inbox_dir(self) -> Path:
        """The folder in which new files arrive."""
        return self.inbox or self.root / "inbox"

    @property
    def uploads_dir(self) -> Path:
        """The folder of uploaded files and the pictures made of them."""
        return self._open_subfolder("uploads")

    @property
    def cache_dir(self) -> Path:
        """The folder of values cached per media item; it may be deleted."""
        return self._open_subfolder("cache")

    @property
    def cache_limit_bytes(self) -> int:
        """The size limit of all caches together, bytes."""
        return round(self.cache_gb * 1e9)

    @property
    def tracking_uri(self) -> str:
        """The address of MLflow's tracking server and model registry."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.state_dir / MLFLOW_DATABASE}"

    def _open_subfolder(self, name: str) -> Path:
        state_dir = self.state_dir
        return open_private_folder(state_dir / name) if state_dir.is_dir() else state_dir / name


def hide_password(address: str) -> str:
    """Return an address without the account and password that it may hold, for messages."""
    return re.sub(r"//[^@/]*@", "//", address)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process. Raises SetupError if an environment variable has a value that its setting does not allow."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = f"REALFRAME_{name.upper()}" if name in Settings.model_fields else name  # else it is the alias of the field
        hint = f"Correct or unset {variable}; docs/settings.md describes it."
        raise SetupError(variable, f"{first['msg']} (given: {first['input']!r})", hint) from error


def _find_checkout() -> Path:
    """Return the main checkout that the working folder belongs to, also from within the worktree of a run."""
    result = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    folder = Path(result.stdout.strip()).parent if result.returncode == 0 else Path.cwd()
    return folder if (folder / "dvc.yaml").exists() else Path(__file__).resolve().parents[2]


def _count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
