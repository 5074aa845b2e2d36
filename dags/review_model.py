"""Ask a reviewer whether the challenger becomes the champion. Only the answer "Approve" is an approval; a time-out is not."""

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import CANDIDATE

ANSWER_FORM = {
    "comment": Param("", type="string", description="reason for the decision; stored in the ledger"),
    "override": Param("", description="reason to approve although gate rules are not met; empty: unmet rules stop the approval"),
}
FORM = {"version": Param(None, type=["null", "integer"], minimum=1, description="number of the version to review; empty: the challenger")}


@task
def check_gate(**context: Any) -> int:
    """Record alias changes made by hand, and compute the gate's result where none is stored. Skipped if no version waits."""
    from realframe.governance.gate import prepare_review
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    events = context["triggering_asset_events"].get(CANDIDATE, [])
    with open_store(get_settings()) as store:
        version = prepare_review(context["params"]["version"] or (events[-1].extra.get("version") if events else None), store)
    if version is None:
        raise AirflowSkipException("no version waits for a decision")
    return version


@task
def build_review_summary(version: int) -> dict[str, Any]:
    """Build the review summary from the stored gate result."""
    from realframe.governance.review_summary import load_markdown

    return {"version": version, "markdown": load_markdown(version)}


@task(trigger_rule=TriggerRule.NONE_SKIPPED)
def record_decision(summary: dict[str, Any], **context: Any) -> str:
    """Record the reviewer's answer in the ledger and apply it. Without an answer the version is not approved."""
    from realframe.governance import decisions
    from realframe.governance.decisions import Reviewer

    version, answer = summary["version"], context["ti"].xcom_pull(task_ids="ask_reviewer")
    if not answer:
        decisions.record_timeout(version)
        raise RuntimeError(f"version {version}: the review timed out, so the version is not approved. Run review_model again.")
    fields = answer["params_input"] or {}
    comment, override = (str(fields.get(name) or "") for name in ("comment", "override"))
    reviewer = Reviewer((answer["responded_by_user"] or {}).get("name") or "", "airflow", "airflow")
    match answer["chosen_options"]:
        case ["Approve"]:
            entry = decisions.approve(version, reviewer, comment, override)
        case ["Ask for changes"]:
            entry = decisions.request_changes(version, reviewer, comment)
        case _:
            entry = decisions.reject(version, reviewer, comment)
    return f"{entry.action}: version {version} by {entry.reviewer}"


@dag(schedule=[CANDIDATE], start_date=datetime(2026, 1, 1), catchup=False, tags=["realframe"], doc_md=__doc__, params=FORM)
def review_model() -> None:
    """Declare the task graph."""
    summary = build_review_summary(check_gate())
    ask = HITLOperator(
        task_id="ask_reviewer",
        subject="Version {{ ti.xcom_pull(task_ids='build_review_summary')['version'] }}: should it become the champion?",
        body="{{ ti.xcom_pull(task_ids='build_review_summary')['markdown'] }}",
        options=["Approve", "Reject", "Ask for changes"],
        params=ANSWER_FORM,
        response_timeout=timedelta(days=7),
    )
    summary >> ask >> record_decision(summary)


review_model()
