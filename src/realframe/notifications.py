"""Send notifications to the addresses of ``REALFRAME_NOTIFY_URL``: e-mail, Slack, webhooks and the other services that Apprise knows."""

import logging
from typing import TYPE_CHECKING

from realframe.errors import SetupError
from realframe.settings import Settings

if TYPE_CHECKING:
    from apprise import Apprise

_log = logging.getLogger(__name__)
_DOCUMENTATION = "https://appriseit.com/services/"


def send_notification(title: str, body: str, settings: Settings, *, is_failure: bool = False) -> bool:
    """Send a plain text to each address; return whether all accepted it. A failure is logged and never raised.

    Args:
        title: one line, such as the subject of an e-mail.
        body: the text.
        settings: of the checkout; without ``notify_url`` nothing is sent, and the result is False.
        is_failure: services that distinguish kinds of notifications mark it as a failure.
    """
    if not settings.notify_url:
        return False
    try:
        is_sent = bool(_load_services(settings).notify(body=body, title=title, notify_type="failure" if is_failure else "info"))
    except Exception as error:  # a message that is not sent must not fail the task that reports
        _log.error("the notification %r was not sent: %s", title, error)
        return False
    if not is_sent:
        _log.error("the notification %r was not sent to all addresses of REALFRAME_NOTIFY_URL; Apprise's messages are above", title)
    return is_sent


def list_notification_services(settings: Settings) -> list[str]:
    """Return the services of the addresses with their hosts, without passwords. Raises SetupError if an address is not valid."""
    services = _load_services(settings) if settings.notify_url else ()
    return [f"{service.service_name or 'webhook'} ({service.url(privacy=True).split('?')[0]})" for service in services]


def _load_services(settings: Settings) -> "Apprise":
    from apprise import Apprise, AppriseAsset
    from apprise.utils.parse import parse_urls

    services = Apprise(asset=AppriseAsset(app_id="realframe", app_desc="realframe", app_url=settings.page_url))
    for number, address in enumerate(parse_urls(settings.notify_url), start=1):
        if not services.add(address):
            reason = f"address {number} is not one that Apprise understands"
            raise SetupError("REALFRAME_NOTIFY_URL", reason, f"Correct it; the services and their addresses: {_DOCUMENTATION}")
    if not len(services):
        raise SetupError("REALFRAME_NOTIFY_URL", "holds no address such as mailto://... or json://...", f"Correct it: {_DOCUMENTATION}")
    return services
