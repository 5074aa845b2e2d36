"""Notifications reach a local mail server and a local HTTP server; a failure is logged, without passwords, and never raised."""

import logging
from pathlib import Path

import pytest

from realframe.errors import SetupError
from realframe.notifications import list_notification_services, send_notification
from realframe.settings import Settings
from tests.notification_servers import find_free_port, run_mail_server, run_webhook_server


def _settings(root: Path, notify_url: str | None) -> Settings:
    return Settings(root=root, notify_url=notify_url)


def test_all_addresses_are_notified(tmp_path: Path) -> None:
    with run_mail_server() as mails, run_webhook_server() as posts:
        settings = _settings(tmp_path, f"{mails.url} {posts.url}")
        assert send_notification("version 3 waits", "Review page: http://127.0.0.1:8000/versions/3", settings, is_failure=True)
    for received in (mails, posts):
        (text,) = received.texts
        assert text.splitlines()[0] == "version 3 waits" and "Review page: http://127.0.0.1:8000/versions/3" in text
    assert mails.messages[0]["to"] == "ann@localhost.localdomain"
    assert posts.messages[0]["type"] == "failure"


def test_without_an_address_nothing_is_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not send_notification("title", "body", _settings(tmp_path, None))
    assert list_notification_services(_settings(tmp_path, None)) == []
    assert not caplog.records


def test_a_server_that_refuses_or_is_absent_is_logged_and_the_others_are_notified(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with run_webhook_server(500) as refusing, run_webhook_server() as posts:
        absent = f"json://user:secret-word@127.0.0.1:{find_free_port()}"
        with caplog.at_level(logging.ERROR, logger="realframe"):
            assert not send_notification("the title", "body", _settings(tmp_path, f"{absent} {refusing.url} {posts.url}"))
    assert len(posts.messages) == len(refusing.messages) == 1
    assert "'the title' was not sent to all addresses of REALFRAME_NOTIFY_URL" in caplog.text
    assert "secret-word" not in caplog.text


@pytest.mark.parametrize("notify_url", ["mailto://", "nothing", "unknown://host", "json://127.0.0.1 unknown://host"])
def test_an_invalid_address_is_named_by_its_number(notify_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = _settings(tmp_path, notify_url)
    with pytest.raises(SetupError, match="REALFRAME_NOTIFY_URL"):
        list_notification_services(settings)
    assert not send_notification("title", "body", settings)  # reported, and the caller goes on
    assert "REALFRAME_NOTIFY_URL" in caplog.text


def test_services_are_listed_without_passwords(tmp_path: Path) -> None:
    listed = list_notification_services(_settings(tmp_path, "mailto://ann:secret-word@example.org json://127.0.0.1:8080"))
    assert len(listed) == 2 and "example.org" in listed[0] and "127.0.0.1:8080" in listed[1]
    assert "secret-word" not in str(listed)
