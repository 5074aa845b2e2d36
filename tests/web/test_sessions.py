"""Sessions end on the server: by signing out, by a change of the account, and by time; and nothing repeats a forged Host header."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from realframe.settings import Settings
from realframe.store import accounts
from realframe.store.accounts import Account, Session
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.auth.sessions import COOKIE
from realframe.web.pages import sign_in_page
from tests.detection_factory import make_detection, make_record

PASSWORD = "correct horse battery"
FORGED = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}


@pytest.fixture
def public_url() -> str | None:
    return None


@pytest.fixture
def client(three_versions: Path, settings: Settings, store: Store, public_url: str | None) -> Iterator[TestClient]:
    sign_in_page._limiter.storage.reset()
    accounts.add_account(store, "ada", "reviewer", PASSWORD)
    app = create_app(settings.model_copy(update={"public_url": public_url}))
    with TestClient(app, base_url=public_url or "http://127.0.0.1:8000", follow_redirects=False) as client:
        yield client


def sign_in(client: TestClient) -> str:
    """Sign in as ada; return the cookie's value."""
    client.cookies.clear()
    assert client.post("/sign-in", data={"name": "ada", "password": PASSWORD}).status_code == 303
    return client.cookies[COOKIE]


def find_csrf_token(client: TestClient) -> str:
    match = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/history").text)
    assert match
    return match[1]


def is_signed_in(client: TestClient, cookie: str) -> bool:
    """Return whether a request with a copy of a cookie is answered, on a page and by the API."""
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    client.cookies.clear()
    statuses = (client.get("/history", headers=headers).status_code, client.get("/api/v1/detections", headers=headers).status_code)
    assert statuses in ((200, 200), (303, 401))
    return statuses == (200, 200)


def test_a_copy_of_the_cookie_is_not_valid_after_signing_out(client: TestClient) -> None:
    other = sign_in(client)
    cookie = sign_in(client)
    assert client.post("/sign-out", data={"csrf": find_csrf_token(client)}).headers["location"] == "/sign-in"
    assert COOKIE not in client.cookies
    assert not is_signed_in(client, cookie)
    assert is_signed_in(client, other), "another browser of the same person stays signed in"


def test_the_store_does_not_hold_what_a_cookie_holds(client: TestClient, store: Store) -> None:
    cookie = sign_in(client)
    (session,) = store.find(Session)
    assert cookie not in session.model_dump_json()
    assert not is_signed_in(client, session.token_sha256)


@pytest.mark.parametrize("change", ["password", "role", "removed", "removed and added again"])
def test_a_changed_or_removed_account_ends_its_sessions(client: TestClient, store: Store, change: str) -> None:
    cookie = sign_in(client)
    if change == "password":
        accounts.set_password(store, "ada", "another long password")
    elif change == "role":
        store.update(Account, "ada", {"role": "admin"})
    else:
        accounts.remove_account(store, "ada")
        assert not store.find(Session)
    if change == "removed and added again":
        accounts.add_account(store, "ada", "reviewer", PASSWORD)
    assert not is_signed_in(client, cookie)


def test_a_session_expires_and_is_deleted_at_the_next_sign_in(client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "SESSION_LIFETIME", timedelta(hours=-1))
    expired = sign_in(client)
    assert not is_signed_in(client, expired)
    monkeypatch.undo()
    monkeypatch.setattr(accounts, "_N", 2)
    sign_in_again = sign_in(client)
    assert len(store.find(Session)) == 1
    assert is_signed_in(client, sign_in_again)


def test_reading_pages_writes_no_session(client: TestClient, store: Store) -> None:
    sign_in(client)
    before = store.find(Session)
    for path in ("/", "/history", "/versions", "/sign-in"):
        assert client.get(path).status_code == 200
    assert store.find(Session) == before


@pytest.mark.parametrize("cookie", ["", "x", "\xff", "." * 5000, "eyJuYW1lIjoiYWRhIn0.aSx.AAAA"])
def test_a_forged_cookie_is_refused(client: TestClient, cookie: str) -> None:
    response = client.get("/history", headers=[(b"Cookie", f"{COOKIE}={cookie}".encode("latin-1"))])
    assert response.status_code == 303


def _read_share_page(client: TestClient, store: Store) -> str:
    record = make_record(make_detection(), owner="ada")
    store.insert(record)
    sign_in(client)
    return client.get(f"/detections/{record.key}/share", headers={**FORGED, "Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}).text


def test_without_a_public_address_a_share_link_has_no_host(client: TestClient, store: Store) -> None:
    page = _read_share_page(client, store)
    assert "evil.example" not in page
    match = re.search(r'value="(/shared/[^"]+)"', page)
    assert match
    assert client.get(match[1]).status_code == 200


@pytest.mark.parametrize("public_url", ["https://realframe.example.org"])
def test_a_share_link_begins_with_the_public_address(client: TestClient, store: Store) -> None:
    page = _read_share_page(client, store)
    assert "evil.example" not in page
    assert 'value="https://realframe.example.org/shared/' in page


@pytest.mark.parametrize("public_url", ["https://realframe.example.org"])
def test_a_public_address_with_tls_makes_the_cookie_secure_and_is_an_allowed_origin(client: TestClient) -> None:
    form = {"name": "ada", "password": PASSWORD}
    behind_proxy = {"Host": "127.0.0.1:8000", "Origin": "https://realframe.example.org"}
    response = client.post("/sign-in", data=form, headers=behind_proxy)
    assert response.status_code == 303
    assert "secure" in response.headers["set-cookie"].lower()
    assert client.post("/sign-in", data=form, headers={"Origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/", "/history", "/history/", "/static", "/static/", "/review", "/sign-in", "/nowhere", "/api/v1/detections/"]
)
def test_no_answer_repeats_a_forged_host(client: TestClient, path: str) -> None:
    cookie = sign_in(client)
    for headers in (FORGED, {**FORGED, "Cookie": f"{COOKIE}={cookie}"}):
        response = client.get(path, headers=headers)
        assert "evil.example" not in response.text + str(response.headers)


def test_a_forged_host_does_not_change_how_an_error_is_answered(client: TestClient) -> None:
    response = client.get("/nowhere", headers={"Host": "a/api/v1"})
    assert response.headers["content-type"].startswith("text/html")
