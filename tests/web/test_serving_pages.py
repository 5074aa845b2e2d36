"""The web page: who may sign in, what a reviewer sees and decides, and what is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from realframe.governance import ledger
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store import accounts
from realframe.store.index_sync import sync_models
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.pages import sign_in_page

PASSWORD = "correct horse battery"


@pytest.fixture
def client(three_versions: Path, settings: Settings, store: Store) -> Iterator[TestClient]:
    sign_in_page._limiter.storage.reset()
    accounts.add(store, "ada", "reviewer", PASSWORD)
    accounts.add(store, "ann", "analyst", PASSWORD)
    sync_models(store, model_registry.versions())
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as opened:
        yield opened


def enter(client: TestClient, name: str) -> None:
    answer = client.post("/sign-in", data={"name": name, "password": PASSWORD}, follow_redirects=False)
    assert answer.status_code == 303


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found
    return found[1]


def test_nothing_is_shown_to_whom_nobody_knows(client: TestClient) -> None:
    for path in ("/versions", "/versions/3", "/versions/3/report", "/lineage", "/lineage/3"):
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/sign-in?next={path}"
    assert client.post("/versions/3/decision", data={"choice": "approve"}, follow_redirects=False).headers["location"] == "/sign-in"


def test_the_first_start_tells_a_password_once(
    three_versions: Path, settings: Settings, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in_page._limiter.storage.reset()
    with TestClient(create_app(settings)) as client:
        told = re.search(r"account: admin, password (\S+)", capsys.readouterr().out)
        assert told
        answer = client.post("/sign-in", data={"name": "admin", "password": told[1]}, follow_redirects=False)
        assert answer.status_code == 303
    with TestClient(create_app(settings)):
        assert "password" not in capsys.readouterr().out


@pytest.mark.parametrize("path", ["/", "/versions", "/history", "/detections/0000000000000000ffffffffffffffff"])
def test_without_its_store_a_page_says_so(client: TestClient, path: str) -> None:
    enter(client, "ann")
    client.app.state.store._database.client.close()  # type: ignore[attr-defined]
    answer = client.get(path)
    assert answer.status_code == 503
    assert "Is the server there?" in answer.text


def test_a_wrong_password_is_refused_and_many_are_stopped(client: TestClient) -> None:
    wrong = {"name": "ada", "password": "wrong but long enough"}
    for _ in range(10):
        answer = client.post("/sign-in", data=wrong)
        assert answer.status_code == 403
        assert "realframe_session" not in client.cookies
    assert client.post("/sign-in", data={"name": "ada", "password": PASSWORD}).status_code == 429


@pytest.mark.parametrize("elsewhere", ["https://evil.example/x", "//evil.example", "/\\evil.example"])
def test_sign_in_leads_to_no_other_site(client: TestClient, elsewhere: str) -> None:
    answer = client.post("/sign-in", data={"name": "ada", "password": PASSWORD, "next": elsewhere}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_a_reviewer_approves_with_a_reason_and_the_ledger_says_so(client: TestClient, store: Store) -> None:
    enter(client, "ada")
    page = client.get("/versions/3")
    assert page.status_code == 200
    assert "not met.</b>" in page.text
    form = {"choice": "approve", "comment": "<b>good</b> enough", "csrf": csrf_of(page.text)}
    refused = client.post("/versions/3/decision", data=form)
    assert refused.status_code == 409
    assert "does not meet" in refused.text
    assert not ledger.entries(store)
    taken = client.post("/versions/3/decision", data={**form, "override": "a pilot"})
    assert taken.status_code == 200
    (entry,) = ledger.entries(store)
    assert (entry.action, entry.reviewer, entry.via, entry.authenticated) == ("approve", "ada", "web", "password")
    assert entry.overrides
    assert entry.reason == "a pilot"
    champion = model_registry.champion()
    assert champion
    assert champion.version == 3
    assert "&lt;b&gt;good&lt;/b&gt;" in taken.text
    assert "<b>good</b>" not in taken.text
    assert "Roll back" in taken.text


def test_an_analyst_may_look_but_not_decide(client: TestClient, store: Store) -> None:
    enter(client, "ann")
    page = client.get("/versions/3")
    assert "you may look" in page.text
    answer = client.post("/versions/3/decision", data={"choice": "reject", "csrf": csrf_of(page.text)})
    assert answer.status_code == 403
    assert not ledger.entries(store)


def test_forms_from_elsewhere_are_refused(client: TestClient, store: Store) -> None:
    enter(client, "ada")
    csrf = csrf_of(client.get("/versions/3").text)
    form = {"choice": "reject", "comment": "no"}
    assert client.post("/versions/3/decision", data=form).status_code == 403
    assert client.post("/versions/3/decision", data={**form, "csrf": "0" * 64}).status_code == 403
    other = client.post("/versions/3/decision", data={**form, "csrf": csrf}, headers={"Origin": "https://evil.example"})
    assert other.status_code == 403
    assert not ledger.entries(store)
    own = client.post("/versions/3/decision", data={**form, "csrf": csrf}, headers={"Origin": "http://127.0.0.1:8000"})
    assert own.status_code == 200
    assert [entry.action for entry in ledger.entries(store)] == ["reject"]


def test_a_session_ends_with_its_password_and_can_not_be_forged(client: TestClient, store: Store) -> None:
    enter(client, "ada")
    assert client.get("/versions", follow_redirects=False).status_code == 200
    cookie = client.cookies["realframe_session"]
    client.cookies.set("realframe_session", cookie[:-4] + "AAAA", domain="127.0.0.1")
    assert client.get("/versions", follow_redirects=False).status_code == 303
    client.cookies.clear()
    enter(client, "ada")
    accounts.set_password(store, "ada", "another long password")
    assert client.get("/versions", follow_redirects=False).status_code == 303


def test_signing_out(client: TestClient) -> None:
    enter(client, "ada")
    csrf = csrf_of(client.get("/versions").text)
    assert client.post("/sign-out", data={"csrf": csrf}).url.path == "/sign-in"
    assert client.get("/versions", follow_redirects=False).status_code == 303


def test_every_answer_forbids_foreign_scripts_and_frames(client: TestClient) -> None:
    enter(client, "ada")
    for path in ("/sign-in", "/versions", "/versions/3", "/lineage", "/static/app.css", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src 'self';" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "style=" not in client.get(path).text


def test_lineage_of_a_version_and_of_nothing(client: TestClient) -> None:
    enter(client, "ada")
    assert "MLflow run" in client.get("/lineage/3").text
    assert client.get("/lineage", params={"of": "3"}).url.path == "/lineage/3"
    for asked in ("../../etc/passwd", "pyproject.toml", "ffffffffff"):
        assert client.get(f"/lineage/{asked}").status_code == 404


def test_the_kept_pages_of_a_version(client: TestClient, settings: Settings) -> None:
    folder = settings.state / "reports" / "v3"
    folder.mkdir(parents=True)
    for name, text in (("report.html", "<h1>evidence</h1>"), ("card.md", "# Model card"), ("croissant.json", "{}")):
        (folder / name).write_text(text)
    enter(client, "ann")
    assert "/versions/3/report" in client.get("/versions").text
    report, card, data = (client.get(f"/versions/3/{name}") for name in ("report", "card", "data"))
    assert report.text == "<h1>evidence</h1>"
    assert "style-src 'unsafe-inline'" in report.headers["content-security-policy"]
    assert "script-src" not in report.headers["content-security-policy"]
    assert (card.text, card.headers["content-type"]) == ("# Model card", "text/plain; charset=utf-8")
    assert data.headers["content-type"] == "application/ld+json"


def test_what_is_not_there_is_told(client: TestClient) -> None:
    enter(client, "ada")
    for path in ("/versions/99", "/versions/3/report", "/nowhere"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "That did not work" in answer.text
