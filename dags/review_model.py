"""Asks a reviewer whether the challenger becomes the champion. Nobody's answer is an approval but "Approve"; a time-out least of all."""

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import CANDIDATE


@task
def gather_evidence(**context: Any) -> dict[str, Any]:
    """Record an alias that was moved by hand, and lay out the reviewer's page; skipped where no version waits for a decision."""
    from realframe.governance import reconcile, review_summary
    from realframe.governance.review_summary import markdown
    from realframe.registry.model_registry import CHALLENGER, by_alias
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        reconcile.detect_manual_changes(store)
        events = context["triggering_asset_events"].get(CANDIDATE, [])
        waiting = by_alias(CHALLENGER)
        version = context["params"]["version"] or (events[-1].extra.get("version") if events else None) or (waiting and waiting.version)
        if not version:
            raise AirflowSkipException("no version waits for a decision")
        return {"version": int(version), "markdown": markdown(review_summary.gather(int(version), store))}


@task(trigger_rule=TriggerRule.NONE_SKIPPED)
def record_decision(evidence: dict[str, Any], **context: Any) -> str:
    """Write the reviewer's answer into the ledger and carry it out; no answer is no approval."""
    from realframe.governance import decisions
    from realframe.governance.decisions import Reviewer

    version, answer = evidence["version"], context["ti"].xcom_pull(task_ids="ask_reviewer")
    if not answer:
        decisions.time_out(version)
        raise RuntimeError(f"version {version}: nobody decided in time, which is no approval")
    said = answer["params_input"] or {}
    comment, override = (str(said.get(name) or "") for name in ("comment", "override"))
    reviewer = Reviewer((answer["responded_by_user"] or {}).get("name") or "", "airflow", "airflow")
    match answer["chosen_options"]:
        case ["Approve"]:
            entry = decisions.approve(version, reviewer, comment, override)
        case ["Ask for changes"]:
            entry = decisions.ask_for_changes(version, reviewer, comment)
        case _:
            entry = decisions.reject(version, reviewer, comment)
    return f"{entry.action}: version {version} by {entry.reviewer}"


@dag(
    schedule=[CANDIDATE],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["realframe"],
    doc_md=__doc__,
    params={"version": Param(None, type=["null", "integer"], minimum=1, description="empty: the challenger")},
)
def review_model() -> None:
    """Draw the graph."""
    evidence = gather_evidence()
    why = "why the rules that are not met don't count; without it they do"
    ask = HITLOperator(
        task_id="ask_reviewer",
        subject="Version {{ ti.xcom_pull(task_ids='gather_evidence')['version'] }}: shall it become the champion?",
        body="{{ ti.xcom_pull(task_ids='gather_evidence')['markdown'] }}",
        options=["Approve", "Reject", "Ask for changes"],
        params={"comment": Param("", type="string", description="why; it stands in the ledger"), "override": Param("", description=why)},
        response_timeout=timedelta(days=7),
    )
    evidence >> ask >> record_decision(evidence)


review_model()
