"""Report waiting and overdue reviews to the addresses of ``REALFRAME_NOTIFY_URL``."""

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseNotifier

from dags.dag_defaults import make_run_link
from realframe.settings import get_settings

REFUSAL = "refusal"
"""The XCom key of why an answer was not recorded."""


class ReviewNotifier(BaseNotifier):
    """Report a question, with links to the question, the review page and the report.

    Args:
        previous: id of the task whose answer was refused; None for the first question.
    """

    def __init__(self, previous: str | None) -> None:
        super().__init__()
        self.previous = previous

    def notify(self, context: Any) -> None:
        """Send the notification."""
        from realframe.governance.review_question import list_links
        from realframe.notifications import send_notification

        settings, ti = get_settings(), context["ti"]
        version, days = ti.xcom_pull(task_ids="check_gate"), context["task"].response_timeout / timedelta(days=1)
        refusal = self.previous and ti.xcom_pull(task_ids=self.previous, key=REFUSAL)
        links = {"Answer": make_run_link(context, f"/tasks/{ti.task_id}/required_actions"), **list_links(version, settings)}
        lines = [f"The last answer was not recorded: {refusal}"] if refusal else []
        lines += [f"Without an answer within {days:.3g} days the version is not approved."]
        lines += [f"{name}: {address}" for name, address in links.items()]
        send_notification(f"realframe: version {version} waits for a review", "\n".join(lines), settings)


def remind_reviewers(context: Any) -> None:
    """Report that a review has had no answer for half of its time."""
    from realframe.notifications import send_notification

    settings = get_settings()
    body = (
        f"The run {context['dag_run']['dag_run_id']} of review_model has had no answer for {settings.review_days / 2:.3g} days. "
        f"Without one the version is not approved.\nReview page: {settings.page_url}/review"
    )
    send_notification("realframe: a review is still open", body, settings)
