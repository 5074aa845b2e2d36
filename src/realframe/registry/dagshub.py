"""Configure DagsHub as MLflow server and DVC storage, from one ``OWNER/REPO`` (``REALFRAME_DAGSHUB_REPO``) and one token.

``dagshub.init`` is not used: version 0.7.3 writes DVC settings to a place that DVC does not read, with the token in plain text.
"""

import os

from realframe.errors import SetupError
from realframe.settings import Settings

_HOST = "https://dagshub.com"


def read_token() -> str:
    """Return the token of ``DAGSHUB_USER_TOKEN`` or of ``dagshub login``. Raises SetupError."""
    from dagshub.auth import get_token  # takes a second to import

    try:
        return str(get_token(fail_if_no_token=True))
    except Exception as error:
        reason = f"no valid token is set ({error})"
        raise SetupError("DagsHub", reason, "Set DAGSHUB_USER_TOKEN or run `dagshub login`.") from error


def connect_tracking(settings: Settings) -> str:
    """Return the URI of the repository's MLflow server, and set its credentials in the environment. Raises SetupError."""
    token = read_token()
    os.environ.setdefault("MLFLOW_TRACKING_USERNAME", token)
    os.environ.setdefault("MLFLOW_TRACKING_PASSWORD", token)
    return f"{_HOST}/{settings.dagshub_repo}.mlflow"


def dvc_remote_settings(settings: Settings) -> dict[str, str]:
    """Return the DVC remote settings of the repository's storage (S3 protocol; the token is both keys). Raises SetupError."""
    token = read_token()
    endpoint = f"{_HOST}/{settings.dagshub_repo}.s3"
    return {"url": "s3://dvc", "endpointurl": endpoint, "access_key_id": token, "secret_access_key": token}
