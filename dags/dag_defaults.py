"""What all DAGs share: they are not paused when they are created, run once at a time, and report a failed run."""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable
from airflow.sdk.configuration import conf

# a new DAG waits for its next full hour or day: a run for the last one would start beside one that is started by hand
_LATEST_START = timedelta(minutes=1)


def make_schedule(cron: str) -> CronTriggerTimetable:
    """Return a schedule in UTC; a DAG that uses it must have no ``start_date``, with which Airflow starts a run for a past time at once."""
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=_LATEST_START)


def make_run_link(context: Any, page: str = "") -> str:
    """Return the address of a DAG run in Airflow."""
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{dag_id}/runs/{run_id}{page}"


def report_failure(context: Any) -> None:
    """Notify that a DAG run failed."""
    from realframe.notifications import send_notification
    from realframe.settings import get_settings

    dag_id, run_id, last_task = context["dag"].dag_id, context["run_id"], context.get("ti")
    where = f" at the task {last_task.task_id}" if last_task else ""
    body = f"The run {run_id} of {dag_id} failed{where} ({context.get('reason', 'unknown reason')}).\nLogs: {make_run_link(context)}"
    send_notification(f"realframe: {dag_id} failed", body, get_settings(), is_failure=True)


DAG_DEFAULTS: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": False,
    "on_failure_callback": report_failure,
    "tags": ["realframe"],
}
