"""Check every hour whether the champion's inputs have drifted, and whether the alias `champion` points to the approved version."""

from typing import Any

from airflow.sdk import dag
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import DRIFT, RETRAINING
from dags.dag_defaults import DAG_DEFAULTS, make_schedule
from dags.task_errors import task
from realframe.settings import get_settings


@task
def record_alias_changes() -> list[str]:
    """Record in the ledger the changes of the alias `champion` that were made without a review; fail while an alarm about it is open."""
    from realframe.governance.ledger_audit import require_no_alarm
    from realframe.governance.reconcile import detect_manual_changes
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        require_no_alarm(store)
        return [f"{entry.action}: version {entry.version}" for entry in detect_manual_changes(store)]


@task(outlets=[DRIFT])
def measure_drift(**context: Any) -> dict[str, Any]:
    """Measure the champion's new predictions; skip if there is no drift, or if an alarm was raised for it before."""
    from realframe.drift.drift_watch import raise_alarm, watch_champion
    from realframe.errors import RegistryError
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        try:
            status, rules = watch_champion(store, get_settings())
        except RegistryError as error:
            raise AirflowSkipException(str(error)) from error
        if not status.needs_alarm:
            raise AirflowSkipException("the drift has raised an alarm before" if status.has_drifted else "no drift")
        raise_alarm(store, status)
    windows = [window.window_id for window in status.windows if window.is_drifting]
    event = {"version": status.model, "windows": windows, "retrain": rules.retrain, "next_step": rules.next_step}
    context["outlet_events"][DRIFT].extra = event
    return event


@task(outlets=[RETRAINING])
def request_training(event: dict[str, Any], **context: Any) -> None:
    """Start a training where `retrain` in mlflow/drift.yaml is `automatic`; propose one to the operators where it is `ask`."""
    from realframe.notifications import send_notification

    text = f"The inputs of version {event['version']} have drifted: {', '.join(event['windows'])}. {event['next_step']}."
    if event["retrain"] != "never":
        send_notification("realframe: drift", text, get_settings())
    if event["retrain"] != "automatic":
        raise AirflowSkipException(text)
    context["outlet_events"][RETRAINING].extra = event


@dag(schedule=make_schedule("0 * * * *"), doc_md=__doc__, **DAG_DEFAULTS)
def watch_drift() -> None:
    """Define the tasks of the DAG."""
    record_alias_changes()
    request_training(measure_drift())


watch_drift()
