"""The decorator ``task``: Airflow's own, except that an error which a user can act on appears in the log of the task as its sentence."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from airflow.sdk import task as airflow_task

from realframe.errors import RealframeError


def task(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Decorate the function of a task, as ``airflow.sdk.task`` does; its options may be given in brackets."""
    if function is None:
        return lambda decorated: task(decorated, **options)
    return airflow_task(**options)(_exit_with_sentence(function))


def _exit_with_sentence(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the errors of this package into an exit: Airflow logs it without a traceback, and retries it as it does any other failure."""

    @wraps(function)
    def run(*arguments: Any, **context: Any) -> Any:
        try:
            return function(*arguments, **context)
        except RealframeError as error:
            raise SystemExit(f"{error.code}: {error}") from None

    return run
