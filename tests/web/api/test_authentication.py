"""Authentication of API requests: by API key, and by the session of a signed-in browser."""

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from realframe.cli import app as command
from realframe.errors import AccountError
from realframe.store import accounts, api_keys
from realframe.store.api_keys import ApiKey
from realframe.store.repository import Store
from realframe.web.pages import sign_in_page
from tests.web.api.api_checks import DETECTIONS_URL, assert_problem
from tests.web.api.conftest import CreateClient
from tests.web.api.queued_uploads import PASSWORD, insert_record


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_an_api_key_works_until_it_is_removed(service: TestClient, store: Store) -> None:
    created = CliRunner().invoke(command, ["keys", "add", "news", "--role", "reviewer", "--owner", "rea"])
    key = created.stdout.strip()
    assert key.startswith("rf_")
    assert service.get(DETECTIONS_URL, headers=bearer(key)).status_code == 200
    listed = CliRunner().invoke(command, ["keys", "list"]).stdout
    assert "news: reviewer, for rea" in listed
    assert f"ends with {key[-4:]}" in listed
    assert key not in listed
    assert key not in store.find(ApiKey)[0].model_dump_json()
    assert CliRunner().invoke(command, ["keys", "remove", "news"]).exit_code == 0
    refused = service.get(DETECTIONS_URL, headers=bearer(key))
    assert_problem(refused, 401, "request.authentication")
    assert refused.headers["www-authenticate"] == "Bearer"


def test_invalid_api_keys_are_not_created(accounts_of_all_roles: None, store: Store) -> None:
    api_keys.add_key(store, "news", "analyst", "ann")
    for name, owner in (("news", "ann"), ("a b", "ann"), ("x" * 65, "ann"), ("other", "nobody")):
        with pytest.raises(AccountError):
            api_keys.add_key(store, name, "analyst", owner)
    with pytest.raises(AccountError, match="not the name of a key"):
        api_keys.remove_key(store, "nothing")
    assert CliRunner().invoke(command, ["keys", "add", "x", "--role", "king"]).exit_code == 2


def test_an_api_key_has_no_more_rights_than_its_owner_and_ends_with_the_account(create_client: CreateClient, store: Store) -> None:
    admin_key_of_analyst, removed = create_client("ann", "admin"), create_client("ben")
    insert_record(store, owner="ben")
    assert admin_key_of_analyst.get(DETECTIONS_URL).json()["items"] == []
    accounts.remove_account(store, "ben")
    assert_problem(removed.get(DETECTIONS_URL), 401, "request.authentication")


def test_malformed_keys_are_refused(service: TestClient) -> None:
    for header in ("Bearer rf_x", "Bearer x", "Bearer", "Basic YTpi", "rf_x", "Bearer " + "rf_" * 1000):
        assert_problem(service.get(DETECTIONS_URL, headers={"Authorization": header}), 401, "request.authentication")


def test_requests_without_a_key_are_refused(service: TestClient) -> None:
    for method, path in (
        ("GET", DETECTIONS_URL),
        ("POST", DETECTIONS_URL),
        ("GET", f"{DETECTIONS_URL}/{'0' * 32}"),
        ("GET", f"{DETECTIONS_URL}/{'0' * 32}/events"),
    ):
        assert_problem(service.request(method, path), 401, "request.authentication")
    assert_problem(service.get("/api/v1/models"), 401, "request.authentication")


def test_many_invalid_keys_are_rate_limited_but_valid_keys_still_work(service: TestClient, create_client: CreateClient) -> None:
    for _ in range(20):
        assert_problem(service.get(DETECTIONS_URL, headers=bearer("rf_wrong")), 401, "request.authentication")
    limited = service.get(DETECTIONS_URL, headers=bearer("rf_wrong"))
    assert_problem(limited, 429, "request.rate-limit")
    assert limited.headers["retry-after"] == "60"
    assert create_client("ann").get(DETECTIONS_URL).status_code == 200


def test_a_session_needs_its_csrf_token_for_changes(service: TestClient, store: Store) -> None:
    sign_in_page._limiter.storage.reset()
    service.post("/sign-in", data={"name": "ann", "password": PASSWORD}, follow_redirects=False)
    account = store.get(accounts.Account, "ann")
    assert account
    sessions = service.app.state.sessions  # type: ignore[attr-defined]
    request = service.build_request("GET", "/")
    request.cookies = service.cookies  # type: ignore[attr-defined]
    csrf = sessions.load_user(request, store).csrf_token
    assert service.get(DETECTIONS_URL).status_code == 200
    file = {"file": ("a", b"x")}
    assert_problem(service.post(DETECTIONS_URL, files=file), 403, "request.forbidden")
    assert_problem(service.post(DETECTIONS_URL, files=file, headers={"X-CSRF-Token": "0" * 64}), 403, "request.forbidden")
    assert_problem(service.post(DETECTIONS_URL, files=file, headers={"X-CSRF-Token": "\u00e9".encode()}), 403, "request.forbidden")
    sent = service.post(DETECTIONS_URL, files=file, headers={"X-CSRF-Token": csrf})
    assert (sent.status_code, sent.json()["owner"]) == (202, "ann")
    cross_origin = service.post(DETECTIONS_URL, files=file, headers={"X-CSRF-Token": csrf, "Origin": "https://evil.example"})
    assert_problem(cross_origin, 403, "request.forbidden")
    assert_problem(
        service.get(DETECTIONS_URL, headers=bearer("rf_wrong")), 401, "request.authentication"
    )  # an API key takes precedence over a session
    accounts.remove_account(store, "ann")
    assert_problem(service.get(DETECTIONS_URL), 401, "request.authentication")
