"""Asks a reviewer whether the challenger becomes the champion. Nobody's answer is an approval but "Approve"; a time-out least of all."""

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import CANDIDATE


@task
def gather_evidence(**context: Any) -> dict[str, Any]:
    """Lay the candidate's figures beside the champion's; skipped where no version waits for a decision."""
    from bonafide.review.evidence import markdown
    from bonafide.tracking.registry import CHALLENGER, by_alias

    events = context["triggering_asset_events"].get(CANDIDATE, [])
    waiting = by_alias(CHALLENGER)
    version = context["params"]["version"] or (events[-1].extra.get("version") if events else None) or (waiting and waiting.version)
    if not version:
        raise AirflowSkipException("no version waits for a decision")
    return {"version": int(version), "markdown": markdown(int(version))}


@task(trigger_rule=TriggerRule.NONE_SKIPPED)
def record_decision(evidence: dict[str, Any], **context: Any) -> str:
    """Write the reviewer's answer into the ledger and carry it out; no answer is no approval."""
    from bonafide.review.decide import approve, reject, time_out

    answer = context["ti"].xcom_pull(task_ids="ask_reviewer")
    if not answer:
        time_out(evidence["version"])
        raise RuntimeError(f"version {evidence['version']}: nobody decided in time, which is no approval")
    decide = approve if answer["chosen_options"] == ["Approve"] else reject
    reviewer = (answer["responded_by_user"] or {}).get("name") or ""
    decide(evidence["version"], reviewer, str((answer["params_input"] or {}).get("comment") or ""))
    return f"{decide.__name__}: version {evidence['version']} by {reviewer}"


@dag(
    schedule=[CANDIDATE],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["bonafide"],
    doc_md=__doc__,
    params={"version": Param(None, type=["null", "integer"], minimum=1, description="empty: the challenger")},
)
def review_model() -> None:
    """Draw the graph."""
    evidence = gather_evidence()
    ask = HITLOperator(
        task_id="ask_reviewer",
        subject="Version {{ ti.xcom_pull(task_ids='gather_evidence')['version'] }}: shall it become the champion?",
        body="{{ ti.xcom_pull(task_ids='gather_evidence')['markdown'] }}",
        options=["Approve", "Reject"],
        params={"comment": Param("", type="string", description="why; it stands in the ledger")},
        response_timeout=timedelta(days=7),
    )
    evidence >> ask >> record_decision(evidence)


review_model()
