"""The pages for reviewers: signing in, decisions, model versions and lineage; and what every page has in common."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from realframe.governance import gate, ledger
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
    accounts.add_account(store, "ada", "reviewer", PASSWORD)
    accounts.add_account(store, "ann", "analyst", PASSWORD)
    sync_models(store, model_registry.list_versions())
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        yield client


def sign_in(client: TestClient, name: str) -> None:
    response = client.post("/sign-in", data={"name": name, "password": PASSWORD}, follow_redirects=False)
    assert response.status_code == 303


def find_csrf_token(page: str) -> str:
    match = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert match
    return match[1]


def test_pages_redirect_to_the_sign_in_form(client: TestClient) -> None:
    for path in ("/versions", "/versions/3", "/versions/3/report", "/lineage", "/lineage/3"):
        response = client.get(path, follow_redirects=False)
        assert response.status_code == 303
        assert response.headers["location"] == f"/sign-in?next={path}"
    assert client.post("/versions/3/decision", data={"choice": "approve"}, follow_redirects=False).headers["location"] == "/sign-in"


def test_the_first_start_prints_the_password_of_admin_once(
    three_versions: Path, settings: Settings, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in_page._limiter.storage.reset()
    with TestClient(create_app(settings)) as client:
        match = re.search(r"account: admin, password (\S+)", capsys.readouterr().out)
        assert match
        response = client.post("/sign-in", data={"name": "admin", "password": match[1]}, follow_redirects=False)
        assert response.status_code == 303
    with TestClient(create_app(settings)):
        assert "password" not in capsys.readouterr().out


@pytest.mark.parametrize("path", ["/", "/versions", "/history", "/detections/0000000000000000ffffffffffffffff"])
def test_pages_answer_503_without_the_store(client: TestClient, path: str) -> None:
    sign_in(client, "ann")
    client.app.state.store._database.client.close()  # type: ignore[attr-defined]
    response = client.get(path)
    assert response.status_code == 503
    assert "Check that the server runs" in response.text


def test_a_wrong_password_is_refused_and_attempts_are_rate_limited(client: TestClient) -> None:
    wrong_form = {"name": "ada", "password": "wrong but long enough"}
    for _ in range(10):
        response = client.post("/sign-in", data=wrong_form)
        assert response.status_code == 403
        assert "realframe_session" not in client.cookies
    assert client.post("/sign-in", data={"name": "ada", "password": PASSWORD}).status_code == 429


@pytest.mark.parametrize("other_site", ["https://evil.example/x", "//evil.example", "/\\evil.example"])
def test_sign_in_does_not_redirect_to_other_sites(client: TestClient, other_site: str) -> None:
    response = client.post("/sign-in", data={"name": "ada", "password": PASSWORD, "next": other_site}, follow_redirects=False)
    assert response.headers["location"] == "/"


def test_the_list_and_the_review_show_unseen_sources_before_the_test_items(client: TestClient) -> None:
    sign_in(client, "ada")
    version = model_registry.get_version(3)
    listed = client.get("/versions").text
    for kind, roc_auc in version.cross_source.items():
        assert f"{kind}s {model_registry.format_metric_with_interval(roc_auc)}" in listed
    assert set(version.cross_source) == {"image", "video"}
    assert listed.index("Unseen sources</th>") < listed.index("Test items</th>")
    page = client.get("/versions/3").text
    assert page.index("ROC-AUC on videos from unseen sources") < page.index("ROC-AUC, per item")


def test_a_reviewer_approves_with_an_override_reason_and_the_ledger_records_it(client: TestClient, store: Store) -> None:
    sign_in(client, "ada")
    result = gate.check_gate(3, store)
    page = client.get("/versions/3")
    assert page.status_code == 200
    assert f"<b>{result.headline}</b>" in page.text
    form = {"choice": "approve", "comment": "<b>good</b> enough", "csrf": find_csrf_token(page.text)}
    refused = client.post("/versions/3/decision", data=form)
    assert refused.status_code == 409
    assert "does not meet" in refused.text
    assert not ledger.list_entries(store)
    approved = client.post("/versions/3/decision", data={**form, "override": "a pilot"})
    assert approved.status_code == 200
    (entry,) = ledger.list_entries(store)
    assert (entry.action, entry.reviewer, entry.channel, entry.authentication) == ("approve", "ada", "web", "password")
    assert entry.overrides
    assert entry.override_reason == "a pilot"
    champion = model_registry.find_champion()
    assert champion
    assert champion.version == 3
    assert "&lt;b&gt;good&lt;/b&gt;" in approved.text
    assert "<b>good</b>" not in approved.text
    assert "Roll back" in approved.text


def test_without_a_stored_gate_result_the_page_offers_no_approval(client: TestClient, store: Store) -> None:
    sign_in(client, "ada")
    page = client.get("/versions/3")
    assert "The gate is not computed yet. Compute it: `realframe registry gate 3`." in page.text
    assert 'value="approve"' not in page.text and 'value="reject"' in page.text
    assert "calibration error, per item" in page.text  # what the registry knows is shown
    form = {"choice": "approve", "override": "a pilot", "csrf": find_csrf_token(page.text)}
    refused = client.post("/versions/3/decision", data=form)
    assert refused.status_code == 409 and "realframe registry gate 3" in refused.text
    assert not ledger.list_entries(store)


def test_an_analyst_cannot_decide(client: TestClient, store: Store) -> None:
    sign_in(client, "ann")
    page = client.get("/versions/3")
    assert "Only reviewers and admins can decide." in page.text
    response = client.post("/versions/3/decision", data={"choice": "reject", "csrf": find_csrf_token(page.text)})
    assert response.status_code == 403
    assert not ledger.list_entries(store)


def _await_navigation(client: TestClient, text: str, *, is_shown: bool) -> bool:
    """Return whether a page shows the text or not, once the versions were read in the background."""
    deadline = time.monotonic() + 10
    while (text in client.get("/data").text) != is_shown and time.monotonic() < deadline:
        time.sleep(0.05)
    return (text in client.get("/data").text) == is_shown


def test_every_page_tells_a_reviewer_that_a_version_waits(client: TestClient, store: Store) -> None:
    badge = '<a href="/versions/3" class="badge challenger">Version 3 waits for you</a>'
    sign_in(client, "ada")
    assert _await_navigation(client, badge, is_shown=True)
    form = {"choice": "reject", "comment": "no", "csrf": find_csrf_token(client.get("/versions/3").text)}
    assert badge not in client.post("/versions/3/decision", data=form).text
    assert _await_navigation(client, badge, is_shown=False)


def test_an_analyst_is_not_told_that_a_version_waits(client: TestClient) -> None:
    sign_in(client, "ann")
    client.app.state.monitor.list_versions()  # type: ignore[attr-defined]
    assert "waits for you" not in client.get("/data").text


def test_a_page_does_not_wait_for_a_model_registry_that_hangs(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(client, "ada")
    is_over = threading.Event()
    monkeypatch.setattr(model_registry, "list_versions", lambda: is_over.wait(30) and [])
    started = time.monotonic()
    assert all(client.get("/history").status_code == 200 for _ in range(3))
    assert time.monotonic() - started < 5
    is_over.set()


def test_forms_from_other_sites_are_refused(client: TestClient, store: Store) -> None:
    sign_in(client, "ada")
    csrf = find_csrf_token(client.get("/versions/3").text)
    form = {"choice": "reject", "comment": "no"}
    assert client.post("/versions/3/decision", data=form).status_code == 403
    assert client.post("/versions/3/decision", data={**form, "csrf": "0" * 64}).status_code == 403
    cross_origin = client.post("/versions/3/decision", data={**form, "csrf": csrf}, headers={"Origin": "https://evil.example"})
    assert cross_origin.status_code == 403
    assert not ledger.list_entries(store)
    same_origin = client.post("/versions/3/decision", data={**form, "csrf": csrf}, headers={"Origin": "http://127.0.0.1:8000"})
    assert same_origin.status_code == 200
    assert [entry.action for entry in ledger.list_entries(store)] == ["reject"]


def test_a_session_ends_with_its_password_and_cannot_be_forged(client: TestClient, store: Store) -> None:
    sign_in(client, "ada")
    assert client.get("/versions", follow_redirects=False).status_code == 200
    cookie = client.cookies["realframe_session"]
    client.cookies.set("realframe_session", cookie[:-4] + "AAAA", domain="127.0.0.1")
    assert client.get("/versions", follow_redirects=False).status_code == 303
    client.cookies.clear()
    sign_in(client, "ada")
    accounts.set_password(store, "ada", "another long password")
    assert client.get("/versions", follow_redirects=False).status_code == 303


def test_sign_out(client: TestClient) -> None:
    sign_in(client, "ada")
    csrf = find_csrf_token(client.get("/versions").text)
    assert client.post("/sign-out", data={"csrf": csrf}).url.path == "/sign-in"
    assert client.get("/versions", follow_redirects=False).status_code == 303


def test_every_response_forbids_foreign_scripts_and_frames(client: TestClient) -> None:
    sign_in(client, "ada")
    for path in ("/sign-in", "/versions", "/versions/3", "/lineage", "/static/app.css", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src 'self';" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "style=" not in client.get(path).text


def test_lineage_of_a_version_and_of_unknown_ids(client: TestClient) -> None:
    sign_in(client, "ada")
    assert "MLflow run" in client.get("/lineage/3").text
    assert client.get("/lineage", params={"query": "3"}).url.path == "/lineage/3"
    for identifier in ("../../etc/passwd", "pyproject.toml", "ffffffffff"):
        assert client.get(f"/lineage/{identifier}").status_code == 404


def test_report_and_cards_of_a_version(client: TestClient, settings: Settings) -> None:
    folder = settings.state_dir / "reports" / "v3"
    folder.mkdir(parents=True)
    for name, text in (("report.html", "<h1>evidence</h1>"), ("card.md", "# Model card"), ("croissant.json", "{}")):
        (folder / name).write_text(text)
    sign_in(client, "ann")
    assert "/versions/3/report" in client.get("/versions").text
    report, card, data = (client.get(f"/versions/3/{name}") for name in ("report", "card", "data"))
    assert report.text == "<h1>evidence</h1>"
    assert "style-src 'unsafe-inline'" in report.headers["content-security-policy"]
    assert "script-src" not in report.headers["content-security-policy"]
    assert (card.text, card.headers["content-type"]) == ("# Model card", "text/plain; charset=utf-8")
    assert data.headers["content-type"] == "application/ld+json"


def test_missing_pages_answer_404(client: TestClient) -> None:
    sign_in(client, "ada")
    for path in ("/versions/99", "/versions/3/report", "/nowhere"):
        response = client.get(path)
        assert response.status_code == 404
        assert "The request failed" in response.text
