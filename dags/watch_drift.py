"""Check every hour whether the champion's inputs have drifted, and whether the alias `champion` points to the approved version."""

from datetime import datetime
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import DRIFT
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
            status, _ = watch_champion(store, get_settings())
        except RegistryError as error:
            raise AirflowSkipException(str(error)) from error
        if not status.needs_alarm:
            raise AirflowSkipException("the drift has raised an alarm before" if status.has_drifted else "no drift")
        raise_alarm(store, status)
    event = {"version": status.model, "windows": [window.window_id for window in status.windows if window.is_drifting]}
    context["outlet_events"][DRIFT].extra = event
    return event


@dag(schedule="@hourly", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1, tags=["realframe"], doc_md=__doc__)
def watch_drift() -> None:
    """Define the tasks of the DAG."""
    record_alias_changes()
    measure_drift()


watch_drift()
