"""Configure DagsHub as MLflow server and DVC storage, from one ``OWNER/REPO`` (``REALFRAME_DAGSHUB_REPO``) and one token.

``dagshub.init`` is not used: version 0.7.3 writes DVC settings to a place that DVC does not read, with the token in plain text.
"""

import base64
import os
import sys
from contextlib import redirect_stdout

from realframe.errors import SetupError
from realframe.settings import Settings


def read_token(settings: Settings) -> str:
    """Return the token of ``DAGSHUB_USER_TOKEN`` or of ``dagshub login``, as it is now. Raises SetupError."""
    if settings.dagshub_user_token:
        return settings.dagshub_user_token
    from dagshub.auth import get_token  # takes a second to import

    try:
        with redirect_stdout(sys.stderr):  # it prints whose token it is
            return str(get_token(host=settings.dagshub_client_host, fail_if_no_token=True))
    except Exception as error:
        reason = f"no valid token is set ({' '.join(str(error).split())})"
        raise SetupError("DagsHub", reason, "Set DAGSHUB_USER_TOKEN or run `dagshub login`.") from error


def tracking_uri(settings: Settings) -> str:
    """Return the address of the repository's MLflow server."""
    return f"{settings.dagshub_client_host}/{settings.dagshub_repo}.mlflow"


def set_tracking_account(settings: Settings) -> None:
    """Set the account of the repository's MLflow server in the environment; a new token replaces the former one. Raises SetupError."""
    os.environ["MLFLOW_TRACKING_USERNAME"] = os.environ["MLFLOW_TRACKING_PASSWORD"] = read_token(settings)


def git_address(settings: Settings) -> str:
    """Return the address of the repository for git, without an account."""
    return f"{settings.dagshub_client_host}/{settings.dagshub_repo}.git"


def git_environment(settings: Settings) -> dict[str, str]:
    """Return variables by which git authenticates at DagsHub, and nowhere else; none where no repository there is named.

    The token stands in the environment only: the arguments of a process are visible to all users. Raises SetupError.
    """
    if not settings.dagshub_repo or not settings.git_remote:
        return {}
    token, count = read_token(settings), int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    account = base64.b64encode(f"{token}:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"http.{settings.dagshub_client_host}/.extraHeader",
        f"GIT_CONFIG_VALUE_{count}": f"Authorization: Basic {account}",
    }


def dvc_remote_settings(settings: Settings) -> dict[str, str]:
    """Return the DVC remote settings of the repository's storage (S3 protocol; the token is both keys). Raises SetupError."""
    token = read_token(settings)
    endpoint = f"{settings.dagshub_client_host}/{settings.dagshub_repo}.s3"
    return {"url": "s3://dvc", "endpointurl": endpoint, "access_key_id": token, "secret_access_key": token}
