"""DagsHub as the home of runs and data: its MLflow server and its DVC storage, by one OWNER/REPO and one token.

``dagshub.init`` is not used: version 0.7.3 writes DVC settings where DVC does not look, with the token in clear.
"""

import os

from realframe.errors import SetupError
from realframe.settings import Settings

_HOST = "https://dagshub.com"


def token() -> str:
    """Return the token of ``DAGSHUB_USER_TOKEN`` or of ``dagshub login``. Raises SetupError."""
    from dagshub.auth import get_token  # takes a second to import

    try:
        return str(get_token(fail_if_no_token=True))
    except Exception as error:
        reason = f"there is no valid token for it ({error})"
        raise SetupError("DagsHub", reason, "Set DAGSHUB_USER_TOKEN or run `dagshub login`.") from error


def tracking_uri(settings: Settings) -> str:
    """Return the address of the repository's MLflow server and put its credentials where MLflow's client looks for them."""
    secret = token()
    os.environ.setdefault("MLFLOW_TRACKING_USERNAME", secret)
    os.environ.setdefault("MLFLOW_TRACKING_PASSWORD", secret)
    return f"{_HOST}/{settings.dagshub_repo}.mlflow"


def dvc_remote(settings: Settings) -> dict[str, str]:
    """Return the DVC remote settings of the repository's storage (S3 protocol; the token is both keys)."""
    secret = token()
    endpoint = f"{_HOST}/{settings.dagshub_repo}.s3"
    return {"url": "s3://dvc", "endpointurl": endpoint, "access_key_id": secret, "secret_access_key": secret}
