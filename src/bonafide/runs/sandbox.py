"""A clone of this checkout inside its state folder, with data, models and services of its own: what is tried there stays there."""

import logging

from bonafide.runs.process import git
from bonafide.settings import Settings

log = logging.getLogger(__name__)

# a server of the user's must not be filled with what a sandbox makes
_OWN = {"mongodb_uri": None, "mlflow_tracking_uri": None, "dagshub_repo": None, "remote_url": None, "git_remote": None}
_VARIABLES = ("MONGODB_URI", "MLFLOW_TRACKING_URI", "BONAFIDE_DAGSHUB_REPO", "BONAFIDE_REMOTE_URL", "BONAFIDE_GIT_REMOTE", "BONAFIDE_INBOX")


def open_sandbox(name: str, settings: Settings) -> Settings:
    """Clone the last commit of the checkout to ``STATE/<name>``, or bring the clone there up to it; return its settings."""
    folder = settings.state / name
    if not (folder / ".git").exists():
        git(settings.root, "clone", "--quiet", "--no-tags", str(settings.root), str(folder))
    git(folder, "fetch", "--quiet", "--no-tags", "origin", "HEAD")
    git(folder, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
    return settings.model_copy(update={**_OWN, "root": folder, "home": folder / ".bonafide", "inbox": None})


def without_servers(environment: dict[str, str]) -> dict[str, str]:
    """Return ``environment`` for a process that works in a sandbox: it hears of no server and of no inbox."""
    return {key: value for key, value in environment.items() if key not in _VARIABLES}
