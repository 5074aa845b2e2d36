"""Open a sandbox: a clone of the checkout in its state folder, with its own data, models and services.

The demo and the benchmarks work in a sandbox, so that they do not touch the user's data and models.
"""

from realframe.runs.git_dvc import git
from realframe.settings import Settings

# a sandbox must not write to the user's servers
_NO_SERVERS = {"mongodb_uri": None, "mlflow_tracking_uri": None, "dagshub_repo": None, "remote_url": None, "git_remote": None}
_SERVER_VARIABLES = (
    "MONGODB_URI",
    "MLFLOW_TRACKING_URI",
    "REALFRAME_DAGSHUB_REPO",
    "REALFRAME_REMOTE_URL",
    "REALFRAME_GIT_REMOTE",
    "REALFRAME_INBOX",
)


def open_sandbox(name: str, settings: Settings) -> Settings:
    """Clone the last commit of the checkout to ``STATE/<name>``, or update the clone there; return its settings."""
    folder = settings.state_dir / name
    if not (folder / ".git").exists():
        git(settings.root, "clone", "--quiet", "--no-tags", str(settings.root), str(folder))
    git(folder, "fetch", "--quiet", "--no-tags", "origin", "HEAD")
    git(folder, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
    return settings.model_copy(update={**_NO_SERVERS, "root": folder, "home": folder / ".realframe", "inbox": None})


def without_server_variables(environment: dict[str, str]) -> dict[str, str]:
    """Return ``environment`` without the variables that name servers and the inbox, for a process in a sandbox."""
    return {key: value for key, value in environment.items() if key not in _SERVER_VARIABLES}
