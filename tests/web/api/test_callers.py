"""Who may use the API: programs with a key, and pages of ours for whoever is signed in."""

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from realframe.cli import app as command
from realframe.errors import AccountError
from realframe.store import accounts, api_keys
from realframe.store.api_keys import ApiKey
from realframe.store.repository import Store
from realframe.web.pages import sign_in_page
from tests.web.api.conftest import Program
from tests.web.api.given import PASSWORD, record
from tests.web.api.test_handing_in import HERE, problem


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_from_its_making_to_its_end(service: TestClient, store: Store) -> None:
    made = CliRunner().invoke(command, ["keys", "add", "news", "--role", "reviewer", "--owner", "rea"])
    key = made.stdout.strip()
    assert key.startswith("bf_")
    assert service.get(HERE, headers=bearer(key)).status_code == 200
    listed = CliRunner().invoke(command, ["keys", "list"]).stdout
    assert "news: reviewer, for rea" in listed
    assert f"ends with {key[-4:]}" in listed
    assert key not in listed
    assert key not in store.find(ApiKey)[0].model_dump_json()
    assert CliRunner().invoke(command, ["keys", "remove", "news"]).exit_code == 0
    refused = service.get(HERE, headers=bearer(key))
    problem(refused, 401, "request.caller")
    assert refused.headers["www-authenticate"] == "Bearer"


def test_keys_that_can_not_be_made(people: None, store: Store) -> None:
    api_keys.add(store, "news", "analyst", "ann")
    for name, owner in (("news", "ann"), ("a b", "ann"), ("x" * 65, "ann"), ("other", "nobody")):
        with pytest.raises(AccountError):
            api_keys.add(store, name, "analyst", owner)
    with pytest.raises(AccountError, match="no key"):
        api_keys.remove(store, "nothing")
    assert CliRunner().invoke(command, ["keys", "add", "x", "--role", "king"]).exit_code == 2


def test_a_key_ends_with_its_account_and_never_does_more_than_it(program: Program, store: Store) -> None:
    high, gone = program("ann", "admin"), program("ben")
    record(store, owner="ben")
    assert high.get(HERE).json()["items"] == []
    accounts.remove(store, "ben")
    problem(gone.get(HERE), 401, "request.caller")


def test_what_is_no_key(service: TestClient) -> None:
    for header in ("Bearer bf_x", "Bearer x", "Bearer", "Basic YTpi", "bf_x", "Bearer " + "bf_" * 1000):
        problem(service.get(HERE, headers={"Authorization": header}), 401, "request.caller")


def test_nothing_without_a_key(service: TestClient) -> None:
    for method, path in (("GET", HERE), ("POST", HERE), ("GET", f"{HERE}/{'0' * 32}"), ("GET", f"{HERE}/{'0' * 32}/events")):
        problem(service.request(method, path), 401, "request.caller")
    problem(service.get("/api/v1/models"), 401, "request.caller")


def test_many_wrong_keys_are_stopped_but_not_the_right_one(service: TestClient, program: Program) -> None:
    for _ in range(20):
        problem(service.get(HERE, headers=bearer("bf_wrong")), 401, "request.caller")
    stopped = service.get(HERE, headers=bearer("bf_wrong"))
    problem(stopped, 429, "request.too-often")
    assert stopped.headers["retry-after"] == "60"
    assert program("ann").get(HERE).status_code == 200


def test_a_session_needs_its_token_to_change_something(service: TestClient, store: Store) -> None:
    sign_in_page._limiter.storage.reset()
    service.post("/sign-in", data={"name": "ann", "password": PASSWORD}, follow_redirects=False)
    account = store.get(accounts.Account, "ann")
    assert account
    sessions = service.app.state.sessions  # type: ignore[attr-defined]
    request = service.build_request("GET", "/")
    request.cookies = service.cookies  # type: ignore[attr-defined]
    csrf = sessions.visitor(request, store).csrf
    assert service.get(HERE).status_code == 200
    file = {"file": ("a", b"x")}
    problem(service.post(HERE, files=file), 403, "request.forbidden")
    problem(service.post(HERE, files=file, headers={"X-CSRF-Token": "0" * 64}), 403, "request.forbidden")
    problem(service.post(HERE, files=file, headers={"X-CSRF-Token": "\u00e9".encode()}), 403, "request.forbidden")
    sent = service.post(HERE, files=file, headers={"X-CSRF-Token": csrf})
    assert (sent.status_code, sent.json()["owner"]) == (202, "ann")
    elsewhere = service.post(HERE, files=file, headers={"X-CSRF-Token": csrf, "Origin": "https://evil.example"})
    problem(elsewhere, 403, "request.forbidden")
    problem(service.get(HERE, headers=bearer("bf_wrong")), 401, "request.caller")  # a key goes before a session
    accounts.remove(store, "ann")
    problem(service.get(HERE), 401, "request.caller")
