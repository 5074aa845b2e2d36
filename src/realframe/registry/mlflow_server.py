"""Set the address, the account and the limits of MLflow's client, and check whether the server answers, before the client waits for it.

By itself, MLflow's client waits up to minutes for a server that does not answer. The result of a check is remembered for some seconds, for
all threads of the process: while a server is away, only one request in a while waits for it.
"""

import os
import socket
import threading
import time
from urllib.parse import urlsplit

import mlflow
import requests
from mlflow.tracking import MlflowClient

from realframe.errors import RealframeError, ServiceError
from realframe.process_environment import complete_environment
from realframe.registry import dagshub
from realframe.settings import Settings, get_settings, hide_password

SQLITE = "sqlite:///"
_CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # a server stores an artifact before it answers
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # commands read artifacts often
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the output of a command is its own
}
_CHECK_TIMEOUT_S = 5.0
_VALID_S = 5.0
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_HINT = "Check MLFLOW_TRACKING_URI, and that the server runs."


class _LastCheck:
    """The last check of one server.

    Attributes:
        ended: when it ended, in seconds of the monotonic clock.
        problem: what it found; empty if the server answered.
        is_running: a thread is asking at the moment.
    """

    def __init__(self) -> None:
        self.ended, self.problem, self.is_running = float("-inf"), "", False


_checks: dict[str, _LastCheck] = {}
_lock = threading.Lock()  # of the entries above; it is never held while a server is asked


def set_server(settings: Settings) -> str:
    """Set the address, account and limits of MLflow's client in this process; return the address.

    Raises ServiceError if the server does not answer, or did not some seconds ago; SetupError if DagsHub has no token.
    """
    os.environ.update(_CLIENT_SETTINGS | complete_environment(os.environ))
    uri = find_address(settings)
    if uri == dagshub.tracking_uri(settings):
        dagshub.set_tracking_account(settings)
    _require_answer(uri)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return uri


def find_address(settings: Settings) -> str:
    """Return the address of MLflow: ``MLFLOW_TRACKING_URI``, the server of the DagsHub repository, or SQLite in the state folder."""
    return dagshub.tracking_uri(settings) if settings.dagshub_repo and not settings.mlflow_tracking_uri else settings.tracking_uri


def has_logged_models(experiment_id: str) -> bool:
    """Return whether the server of this process knows logged models, as MLflow does from version 3 on; DagsHub's may be older."""
    client = MlflowClient()
    try:
        client.search_logged_models(experiment_ids=[experiment_id], max_results=1)
    except mlflow.MlflowException as error:
        if error.error_code in ("ENDPOINT_NOT_FOUND", "RESOURCE_DOES_NOT_EXIST") or " 404" in str(error):
            return False
        raise
    return True


def translate_error(error: Exception) -> RealframeError:
    """Return the error of this package for one that MLflow, its database or the network raised; its own errors stay as they are."""
    if isinstance(error, RealframeError):
        return error
    uri = find_address(get_settings())
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__).replace(uri, hide_password(uri))
    return ServiceError(f"MLflow at {hide_password(uri)}", f"failed: {reason.rstrip('.')}", _HINT)


def _require_answer(uri: str) -> None:
    """Raise ServiceError if the server does not answer, or did not when it was asked last; of several threads one asks again."""
    with _lock:
        check = _checks.setdefault(uri, _LastCheck())
        was_asked = check.ended > float("-inf")
        must_ask = time.monotonic() - check.ended > _VALID_S and not (was_asked and check.is_running)
        check.is_running = check.is_running or must_ask
    if must_ask:
        try:
            check.problem = _find_problem(uri)
        finally:
            check.ended, check.is_running = time.monotonic(), False
    if check.problem:
        raise ServiceError(f"MLflow at {hide_password(uri)}", check.problem, _HINT)


def _find_problem(uri: str) -> str:
    """Return why a server does not answer; empty if it does, also with a refusal, which MLflow's client reports better."""
    address = urlsplit(uri)
    if address.scheme in ("http", "https"):
        try:
            status = requests.get(f"{uri.rstrip('/')}/health", timeout=_CHECK_TIMEOUT_S, allow_redirects=False, stream=True).status_code
        except requests.Timeout:
            return f"does not answer within {_CHECK_TIMEOUT_S:g} seconds"
        except requests.RequestException as error:
            return f"cannot be reached: {_find_cause(error)}"
        return f"answers with status {status}" if status >= 500 else ""
    port = address.port or _DATABASE_PORTS.get(address.scheme.partition("+")[0])
    if not address.hostname or not port:
        return ""
    try:
        with socket.create_connection((address.hostname, port), _CHECK_TIMEOUT_S):
            return ""
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"


def _find_cause(error: BaseException) -> str:
    """Return the message of the system's error at the origin of an error; that of the error itself if there is none."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror
        reason = getattr(cause, "reason", None)
        inner = next((part for part in cause.args if isinstance(part, BaseException)), None)
        cause = cause.__cause__ or (reason if isinstance(reason, BaseException) else None) or inner or cause.__context__
    return str(error)
