"""Looks each hour whether the champion is shown something else than it was trained on, and whether it is the one that was approved."""

from datetime import datetime
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import DRIFT
from realframe.settings import get_settings


@task
def notice_aliases() -> list[str]:
    """Write into the ledger what was done to the alias `champion` past the review."""
    from realframe.governance.reconcile import detect_manual_changes
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        return [f"{entry.action}: version {entry.version}" for entry in detect_manual_changes(store)]


@task(outlets=[DRIFT])
def measure_drift(**context: Any) -> dict[str, Any]:
    """Measure the champion's new predictions; skipped where they have not drifted, or where that was told before."""
    from realframe.drift.drift_watch import raise_alarm, watch_champion
    from realframe.errors import RegistryError
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        try:
            seen, _ = watch_champion(store, get_settings())
        except RegistryError as error:
            raise AirflowSkipException(str(error)) from error
        if not seen.alarm:
            raise AirflowSkipException("a drift that was told before" if seen.drift else "no drift")
        raise_alarm(store, seen)
    told = {"version": seen.model, "windows": [window.window_id for window in seen.windows if window.drifting]}
    context["outlet_events"][DRIFT].extra = told
    return told


@dag(schedule="@hourly", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1, tags=["realframe"], doc_md=__doc__)
def watch_drift() -> None:
    """Draw the graph."""
    notice_aliases()
    measure_drift()


watch_drift()
