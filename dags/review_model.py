"""Ask a reviewer whether the challenger becomes the champion. Only the answer "Approve" is an approval; a time-out is not."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DeadlineAlert, DeadlineReference, Param, SyncCallback, TaskGroup, dag
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import CANDIDATE
from dags.dag_defaults import DAG_DEFAULTS
from dags.review_notifier import remind_reviewers
from dags.review_operator import ReviewOperator
from dags.task_errors import task
from realframe.settings import get_settings

ANSWER_FORM = {
    "comment": Param("", type="string", description="reason for the decision; stored in the ledger"),
    "override": Param("", type="string", description="reason to approve although gate rules are not met; empty: they stop the approval"),
}
FORM = {"version": Param(None, type=["null", "integer"], minimum=1, description="number of the version to review; empty: the challenger")}
ANSWER_TIME = timedelta(days=get_settings().review_days)
MAX_QUESTIONS = 5  # until then, an answer that cannot be recorded is asked for again


@task
def check_gate(**context: Any) -> int:
    """Record alias changes made by hand, and compute the gate's result where none is stored. Skipped if no version waits."""
    from realframe.governance.gate import prepare_review
    from realframe.store.repository import open_store

    events = context["triggering_asset_events"].get(CANDIDATE, [])
    with open_store(get_settings()) as store:
        version = prepare_review(context["params"]["version"] or (events[-1].extra.get("version") if events else None), store)
    if version is None:
        raise AirflowSkipException("no version waits for a decision")
    return version


@task
def build_question(version: int) -> str:
    """Build the question from the stored gate result."""
    from realframe.governance import review_question

    return review_question.build_question(version)


def add_question(task_id: str, **order: Any) -> ReviewOperator:
    """Add a task that asks; ``order`` names the task that asked before."""
    return ReviewOperator(
        task_id=task_id,
        subject="Version {{ ti.xcom_pull(task_ids='check_gate') }}: should it become the champion?",
        body="{{ ti.xcom_pull(task_ids='build_question') }}",
        options=["Approve", "Reject", "Ask for changes"],
        params=ANSWER_FORM,
        response_timeout=ANSWER_TIME,
        **order,
    )


@dag(
    schedule=[CANDIDATE],
    doc_md=__doc__,
    params=FORM,
    deadline=DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, ANSWER_TIME / 2, SyncCallback(remind_reviewers), name="reminder"),
    **{**DAG_DEFAULTS, "max_active_runs": 16},  # one for each version that waits
)
def review_model() -> None:
    """Declare the task graph."""
    question = build_question(check_gate())
    previous = add_question("ask_reviewer")
    question >> previous
    with TaskGroup("ask_again", prefix_group_id=False):
        for number in range(2, MAX_QUESTIONS + 1):
            following = add_question(f"ask_again_{number}", previous=previous.task_id)
            previous >> following
            previous = following


review_model()
