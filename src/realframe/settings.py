"""What differs from machine to machine: folders and addresses, from the environment. Nothing here changes a result.

How TensorFlow uses this machine: on how many threads, and the same way each time.
"""

import os
import subprocess
from functools import lru_cache
from pathlib import Path

import keras
import tensorflow as tf
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of this process; each may be set by the environment variable ``REALFRAME_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="REALFRAME_", frozen=True, extra="ignore", env_ignore_empty=True)

    root: Path = Field(default_factory=lambda: _checkout(), description="the checkout whose pipeline is run")
    home: Path | None = Field(default=None, description="state of this checkout; default: ROOT/.realframe")
    inbox: Path | None = Field(default=None, description="folder that prepare_data looks into; default: ROOT/inbox")
    weights_dir: Path | None = Field(default=None, description="folder with <backbone>_notop.weights.h5 files")
    workers: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    remote_url: str | None = Field(default=None, description="DVC remote; default: a folder in the state folder")
    git_remote: str | None = Field(default=None, description="git remote to which runs are pushed; default: none")
    mongodb_uri: str | None = Field(default=None, validation_alias="MONGODB_URI")
    mongodb_database: str = "realframe"
    mlflow_tracking_uri: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI")
    queue_limit: int = Field(default=200, ge=1, description="files that may wait to be scored; above it the API answers 429")
    batch_limit: int = Field(default=20_000, ge=1, description="files of batches that may wait besides")
    upload_max_bytes: int = Field(default=512_000_000, ge=1, description="of one file that is handed in")
    uploads_per_minute: int = Field(default=240, ge=1, description="of one account or API key")
    keep_days: int = Field(default=30, ge=0, description="after which a file that was handed in is removed; its answer stays. 0: never")
    trust_list: Path | None = Field(default=None, description="PEM file of those whose content credentials are trusted; default: none")
    dagshub_repo: str | None = Field(default=None, description="OWNER/REPO on DagsHub")
    dagshub_user_token: str | None = Field(default=None, validation_alias="DAGSHUB_USER_TOKEN")

    @property
    def state(self) -> Path:
        """The folder of this checkout's state."""
        return self.home or self.root / ".realframe"

    @property
    def raw_dir(self) -> Path:
        """The living folder of originals, from which each run takes its snapshot."""
        return self.root / "data" / "raw"

    @property
    def regression_dir(self) -> Path:
        """The living folder of the regression set, from which each training takes its snapshot."""
        return self.root / "data" / "regression"

    @property
    def feedback_dir(self) -> Path:
        """The files that people said something of."""
        return self.state / "feedback"

    @property
    def inbox_dir(self) -> Path:
        """The folder in which new files arrive."""
        return self.inbox or self.root / "inbox"

    @property
    def uploads_dir(self) -> Path:
        """The files that were handed in to be scored, and their pictures."""
        return self.state / "uploads"

    @property
    def cache_dir(self) -> Path:
        """What was computed per media item; may be deleted."""
        return self.state / "cache"

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry address."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.state / 'mlflow.db'}"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process."""
    return Settings()


def _checkout() -> Path:
    """The main checkout that the working folder belongs to, also from within a run's worktree."""
    answer = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    folder = Path(answer.stdout.strip()).parent if answer.returncode == 0 else Path.cwd()
    return folder if (folder / "dvc.yaml").exists() else Path(__file__).resolve().parents[2]


def configure_tensorflow(threads: int, seed: int) -> None:
    """Set TensorFlow's threads, all seeds, and operations that give the same result each time; before the first use of TensorFlow.

    Args:
        threads: that share one operation; operations run one after the other but for two, of which one feeds the other.
        seed: of Python's, NumPy's and TensorFlow's generators.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
