"""Ask a reviewer about a version until an answer is recorded in the ledger: a refused answer is asked for again in the same run."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import ExceptionRetryPolicy, RetryAction
from airflow.sdk.bases.skipmixin import SkipMixin

from dags.review_notifier import REFUSAL, ReviewNotifier

_MIN_ANSWER_TIME = timedelta(minutes=5)  # after a refusal shortly before the deadline


class ReviewOperator(HITLOperator, SkipMixin):
    """Ask about the version that ``check_gate`` returned; record the answer, and return the decision in one line.

    Airflow keeps one question for each task of a run, and its text cannot be changed. A question after a refused answer is therefore a
    task of its own, with the reason above its text; the tasks after a recorded answer are skipped.

    Airflow 3.3 may take the task for lost if it is answered in the seconds in which its process ends (apache/airflow #66374); a task that
    was lost asks again. An error that is raised here is no reason to ask again.

    Args:
        previous: id of the task whose answer may have been refused; None for the first question.
        kwargs: of Airflow's operator.
    """

    inherits_from_skipmixin = True

    def __init__(self, *, previous: str | None = None, **kwargs: Any) -> None:
        policy = ExceptionRetryPolicy([], default=RetryAction.FAIL)
        notifiers = [ReviewNotifier(previous)]
        super().__init__(notifiers=notifiers, retries=5, retry_delay=timedelta(seconds=1), retry_policy=policy, **kwargs)
        self.previous = previous

    def execute(self, context: Any) -> Any:
        """Ask, with the reason why the answer before was refused; the deadline counts from the start of the run."""
        from realframe.governance.review_question import add_refusal, describe_decision, find_decision_since

        ti, started = context["ti"], context["dag_run"].start_date
        if decision := find_decision_since(_get_version(context), started):  # on the page, or by a task that was lost
            return self._finish(ti, describe_decision(decision))
        if self.previous:
            self.body = add_refusal(str(self.body), ti.xcom_pull(task_ids=self.previous, key=REFUSAL))
            self.response_timeout = max(started + self.response_timeout - datetime.now(UTC), _MIN_ANSWER_TIME)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> str:
        """Record the answer, or that there is none in time: then the version is not approved. The last question fails if it is refused."""
        from realframe.errors import RealframeError
        from realframe.governance import decisions, review_question

        version = _get_version(context)
        if event.get("error_type") == "timeout":
            decisions.record_timeout(version)
            raise SystemExit(f"version {version}: the review timed out, so the version is not approved. Run review_model again.")
        try:
            entry = review_question.record_answer(version, event)
        except RealframeError as error:
            if not self.downstream_task_ids:
                raise SystemExit(f"{error.code}: {error}") from None
            context["ti"].xcom_push(key=REFUSAL, value=str(error))
            return f"not recorded: {error}"
        return self._finish(context["ti"], review_question.describe_decision(entry))

    def _finish(self, ti: Any, decision: str) -> str:
        ti.xcom_push(key="return_value", value=decision)  # `skip` raises where there is something to skip
        self.skip(ti, self.get_flat_relatives(upstream=False))
        return decision


def _get_version(context: Any) -> int:
    return int(context["ti"].xcom_pull(task_ids="check_gate"))
