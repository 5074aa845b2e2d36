"""Events for other programs, sent to a local HTTP server: signed, repeated a limited number of times, never redirected."""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest

from realframe import webhooks
from realframe.settings import Settings
from tests.webhook_receiver import WebhookReceiver, receive_events


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with receive_events() as started:
        yield started


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_PAUSES_S", (0.01, 0.01))


def _settings(tmp_path: Path, url: str | None, secret: str | None = "key") -> Settings:
    return Settings(root=tmp_path, webhook_url=url, webhook_secret=secret)


def test_an_event_is_signed_with_its_time(receiver: WebhookReceiver, tmp_path: Path) -> None:
    assert webhooks.send_event("batch.done", {"batch": "ab"}, _settings(tmp_path, receiver.url))
    [(headers, body)] = receiver.requests
    assert receiver.events == [{"event": "batch.done", "batch": "ab"}]
    expected = hmac.new(b"key", headers["X-Realframe-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Realframe-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize(
    ("statuses", "attempts", "accepted"),
    [([500, 503], 3, True), ([429], 2, True), ([500, 500, 500, 500], 3, False), ([404], 1, False), ([302, 302, 302], 3, False)],
)
def test_an_event_is_repeated_a_limited_number_of_times(
    statuses: list[int], attempts: int, accepted: bool, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    receiver.statuses = statuses
    assert webhooks.send_event("batch.done", {}, _settings(tmp_path, receiver.url)) == accepted
    assert len(receiver.requests) == attempts


def test_nothing_is_sent_without_an_address_or_a_secret(
    receiver: WebhookReceiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not webhooks.send_event("batch.done", {}, _settings(tmp_path, None))
    assert not webhooks.send_event("batch.done", {}, _settings(tmp_path, receiver.url, None))
    assert receiver.requests == [] and "REALFRAME_WEBHOOK_SECRET is not set" in caplog.text


def test_a_receiver_that_is_away_is_logged_without_its_password(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not webhooks.send_event("job.done", {}, _settings(tmp_path, "http://user:secret@127.0.0.1:1/hook"))
    assert "ConnectionError" in caplog.text and "secret@" not in caplog.text
