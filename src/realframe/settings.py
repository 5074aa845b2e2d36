"""The settings of one machine, from environment variables: folders, addresses, limits and threads. No setting changes a result.

The complete list of variables, those of other programs included, is in ``docs/settings.md``. ``threads.py`` applies the thread count.
"""

import os
import re
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from realframe.errors import SetupError
from realframe.permissions import open_private_folder

_PROJECT_NAME = re.compile(r'^name = "realframe"$', re.MULTILINE)
MLFLOW_DATABASE = "mlflow.db"
"""The file in the state folder that holds MLflow's runs and versions, where no tracking server is named."""

_SCHEMES = {
    "mongodb_uri": ("mongodb", "mongodb+srv"),
    "mlflow_tracking_uri": ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "file", "databricks"),
    "remote_url": ("s3", "gs", "azure", "ssh", "http", "https", "webdav", "webdavs", "hdfs", "webhdfs", "oss", "gdrive", "file", "remote"),
}
"""The beginnings of an address that MongoDB's client, MLflow and DVC know."""


class Settings(BaseSettings):
    """The settings of this process; the environment variable ``REALFRAME_<NAME>`` sets the field ``<name>``."""

    model_config = SettingsConfigDict(env_prefix="REALFRAME_", frozen=True, extra="ignore", env_ignore_empty=True)

    root: Path = Field(
        default_factory=lambda: _find_checkout(), description="the checkout whose pipeline runs; default: that of the working folder"
    )
    home: Path | None = Field(
        default=None, description="folder of this checkout's state; default: ROOT/.realframe; in a git worktree, that of the main checkout"
    )
    inbox: Path | None = Field(default=None, description="folder that prepare_data checks for new files; default: ROOT/inbox")
    weights_dir: Path | None = Field(default=None, description="folder with pretrained weights, <backbone>_notop.weights.h5")
    workers: int = Field(
        default_factory=lambda: count_cores(), description="processes and threads of a stage; default: the cores of this machine"
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
    notify_url: str | None = Field(
        default=None,
        description="where failed DAG runs and waiting reviews are reported: Apprise URLs for e-mail, Slack, webhooks and other services, "
        "separated by spaces; they may contain passwords; default: nowhere",
    )
    webhook_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="address to which the web API's batches and scoring jobs send a signed POST when they are done; default: nowhere",
    )
    webhook_secret: str | None = Field(default=None, description="key of the signature of these requests; without it none is sent")
    review_days: float = Field(
        default=7.0,
        gt=0,
        description="days in which the question of review_model must be answered; a reminder is sent after half of them. A version "
        "without an answer is not approved",
    )
    keep_failed_runs: int = Field(
        default=5, ge=0, description="failed and killed pipeline runs whose folders stay; the next run removes older ones"
    )
    dagshub_repo: str | None = Field(default=None, description="repository on DagsHub, OWNER/REPO")
    dagshub_user_token: str | None = Field(
        default=None, validation_alias="DAGSHUB_USER_TOKEN", description="access token for DagsHub; default: that of `dagshub login`"
    )
    dagshub_client_host: str = Field(
        default="https://dagshub.com",
        validation_alias="DAGSHUB_CLIENT_HOST",
        pattern=r"^https?://[^/?#@\s]+$",
        description="address of DagsHub, where another one than dagshub.com is used",
    )

    @field_validator(*_SCHEMES)
    @classmethod
    def _check_address(cls, address: str | None, info: ValidationInfo) -> str | None:
        """Refuse an address that its client would refuse too, but later and in many lines. A path has no scheme."""
        scheme, separator, rest = (address or "").partition("://")
        known = _SCHEMES[str(info.field_name)]
        if separator and not {scheme.lower(), scheme.lower().partition("+")[0]} & set(known):
            raise ValueError(f"{scheme}:// is not supported, but {', '.join(known)} are")
        if separator and scheme.lower().startswith(("http", "mongodb")) and not rest.rpartition("@")[2].strip("/"):
            raise ValueError("the address names no host")
        return address

    @property
    def state_dir(self) -> Path:
        """The folder of this checkout's state, which only its user can open: it is created with mode 0700.

        Raises SetupError if it belongs to another user.
        """
        folder = self.home or self.main_checkout / ".realframe"
        return open_private_folder(folder) if self.home or self.root.is_dir() else folder

    @property
    def saved_settings(self) -> Path:
        """The file of settings for which the environment has no value; `realframe dagshub connect` writes it."""
        return (self.home or self.main_checkout / ".realframe") / "settings.env"

    @property
    def main_checkout(self) -> Path:
        """The checkout that git worktrees belong to, whose state and data they share; the root itself where it is no worktree."""
        return _find_main_checkout(self.root)

    def require_checkout(self) -> None:
        """Raise SetupError if the root is not a checkout of this project, which could be another DVC project."""
        if not _is_checkout(self.root):
            hint = "Change to a checkout of realframe, or name one by REALFRAME_ROOT."
            raise SetupError(self.root, "is not a checkout of realframe", hint)

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

    @property
    def page_url(self) -> str:
        """The address of the web page for links in messages; without ``public_url`` the one where `realframe serve` listens by default."""
        return self.public_url or "http://127.0.0.1:8000"

    def _open_subfolder(self, name: str) -> Path:
        state_dir = self.state_dir
        return open_private_folder(state_dir / name) if state_dir.is_dir() else state_dir / name


def hide_password(address: str) -> str:
    """Return an address without the account and password that it may hold, for messages."""
    return re.sub(r"//[^@/]*@", "//", address)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process: from the environment, then from the file in the state folder that commands write.

    Raises SetupError if a variable has a value that its setting does not allow.
    """
    try:
        settings = Settings()
        saved = settings.saved_settings
        return Settings(_env_file=saved, _env_file_encoding="utf-8") if saved.is_file() else settings  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = f"REALFRAME_{name.upper()}" if name in Settings.model_fields else name  # else it is the alias of the field
        hint = f"Correct or unset {variable}; docs/settings.md describes it."
        reason, value = first["msg"].removeprefix("Value error, "), hide_password(str(first["input"]))
        raise SetupError(variable, f"{reason} (given: {value!r})", hint) from error


def _find_checkout() -> Path:
    """Return the checkout of this project that the working folder is in; for the worktree of a run, the main one.

    Outside of a checkout, also in another project, it is the one that this package is installed from, or else the working folder.
    """
    current = Path.cwd()
    for folder in (current, *current.parents):
        if _is_checkout(folder):
            is_of_run = folder.parent.name == "runs" and folder.with_name(f"{folder.name}.json").exists()
            return _find_main_checkout(folder) if is_of_run else folder
        if (folder / ".git").exists():  # another project
            break
    source = Path(__file__).resolve().parents[2]
    return source if _is_checkout(source) else current


def _is_checkout(folder: Path) -> bool:
    """Return whether a folder holds this project, and not another one that uses DVC."""
    project = folder / "pyproject.toml"
    return (folder / "dvc.yaml").is_file() and project.is_file() and _PROJECT_NAME.search(project.read_text(errors="replace")) is not None


def _find_main_checkout(root: Path) -> Path:
    """Return the checkout whose git worktree ``root`` is, or ``root`` itself. The file ``.git`` of a worktree names its place there."""
    link = root / ".git"
    if not link.is_file():
        return root
    place = (root / link.read_text().removeprefix("gitdir:").strip()).resolve()  # MAIN/.git/worktrees/NAME
    main = place.parents[2] if place.parent.name == "worktrees" else root
    return main if _is_checkout(main) else root


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
