"""Tell another program that a batch or a scoring job is done: one signed POST to ``REALFRAME_WEBHOOK_URL``.

The address is an operator's setting and never part of a request, so that no user can make this server call another one. The body is JSON;
``X-Realframe-Signature`` is ``sha256=`` and the HMAC-SHA256 of ``<X-Realframe-Timestamp>.<body>`` under ``REALFRAME_WEBHOOK_SECRET``.
"""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import requests

from realframe.settings import Settings, hide_password

_TIMEOUT_S = 10.0
_PAUSES_S = (1.0, 5.0)  # between the attempts: three at most
_FINAL_STATUSES = range(400, 500)
_RETRYABLE_STATUSES = (408, 425, 429)
_log = logging.getLogger(__name__)


def send_event(event: str, facts: Mapping[str, Any], settings: Settings) -> bool:
    """Send an event; return whether the receiver accepted it with a status of 200 to 299. A failure is logged and never raised.

    Args:
        event: its kind, such as ``batch.done``.
        facts: what is sent with it, as JSON.
        settings: with the address and the secret; without an address nothing is sent, and the result is False.
    """
    if not settings.webhook_url:
        return False
    if not settings.webhook_secret:
        _log.error("the event %s was not sent: REALFRAME_WEBHOOK_SECRET is not set, so it could not be signed", event)
        return False
    body = json.dumps({"event": event, **facts}, sort_keys=True).encode()
    for attempt, pause in enumerate((*_PAUSES_S, None), start=1):
        problem, is_final = _post(body, settings.webhook_url, settings.webhook_secret)
        if not problem:
            return True
        _log.warning("the event %s was not accepted by %s, attempt %s: %s", event, hide_password(settings.webhook_url), attempt, problem)
        if is_final or pause is None:
            break
        time.sleep(pause)
    _log.error("the event %s was not delivered to %s", event, hide_password(settings.webhook_url))
    return False


def sign_body(body: bytes, timestamp: str, secret: str) -> str:
    """Return the value of ``X-Realframe-Signature``."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _post(body: bytes, url: str, secret: str) -> tuple[str, bool]:
    """Send a body once; return what went wrong, empty if nothing did, and whether another attempt is useless."""
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "realframe",
        "X-Realframe-Timestamp": timestamp,
        "X-Realframe-Signature": sign_body(body, timestamp, secret),
    }
    try:
        response = requests.post(url, data=body, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False, stream=True)
    except requests.RequestException as error:
        return type(error).__name__, False
    with response:
        status = response.status_code
    if 200 <= status < 300:
        return "", True
    return f"status {status}", status in _FINAL_STATUSES and status not in _RETRYABLE_STATUSES
