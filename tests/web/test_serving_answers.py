"""The pages of files handed in, without a browser: whose eyes they are for, links that are shared, tables, and what forms do."""

import csv
import io
import re
import time
from collections.abc import Iterator
from functools import cache
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from fastapi import Response
from fastapi.testclient import TestClient

from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store import accounts
from realframe.store.detection_documents import Detection, DetectionRecord
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.auth.sessions import COOKIE, Sharing
from tests.web.answers import answer, record

PASSWORD = "correct horse battery"
BATCH = "00112233aabbccdd"
JPEG = b"\xff\xd8\xff\xe0 a picture"


ROLES: dict[str, accounts.Role] = {"ann": "analyst", "bob": "analyst", "ada": "reviewer"}


@cache
def account(name: str) -> accounts.Account:
    """One hash of a password takes half a second: everybody's is made once."""
    return accounts._account(name, ROLES[name], PASSWORD)


@pytest.fixture
def client(three_versions: Path, settings: Settings, store: Store) -> Iterator[TestClient]:
    store.upsert([account(name) for name in ROLES])
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as opened:
        yield opened


def enter(client: TestClient, name: str) -> str:
    """Be signed in; return what forms must send back."""
    client.cookies.clear()
    signed = Response()
    client.app.state.sessions.begin(signed, account(name), secure=False)  # type: ignore[attr-defined]
    client.cookies.set(COOKIE, SimpleCookie(signed.headers["set-cookie"])[COOKIE].value, domain="127.0.0.1")
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/history").text)
    assert found
    return found[1]


def kept(store: Store, settings: Settings, told: Detection | None, **changed: object) -> DetectionRecord:
    made = record(told, **changed)
    folder = settings.uploads_dir / made.key
    folder.mkdir(parents=True)
    for name in ("media", "frames.jpg", "heat.jpg"):
        (folder / name).write_bytes(JPEG)
    store.insert(made)
    return made


def test_nobody_sees_a_page_without_signing_in(client: TestClient, store: Store, settings: Settings) -> None:
    made = kept(store, settings, answer(), batch=BATCH)
    for path in ("/", "/history", "/review", f"/detections/{made.key}", f"/detections/{made.key}/share", f"/batches/{BATCH}"):
        assert client.get(path, follow_redirects=False).headers["location"] == f"/sign-in?next={path}"
    assert client.post(f"/detections/{made.key}/delete", follow_redirects=False).status_code == 303
    assert store.get(DetectionRecord, made.key)


def test_analysts_see_their_own_and_reviewers_everything(client: TestClient, store: Store, settings: Settings) -> None:
    own, other = kept(store, settings, answer("mine.mp4")), kept(store, settings, answer("theirs.mp4"), owner="bob")
    enter(client, "ann")
    assert client.get(f"/detections/{own.key}").status_code == 200
    assert client.get(f"/detections/{other.key}").status_code == 404
    assert "theirs.mp4" not in client.get("/history").text
    enter(client, "ada")
    page = client.get("/history").text
    assert "mine.mp4" in page
    assert "theirs.mp4" in page
    assert "bob" in page
    assert "/delete" not in client.get(f"/detections/{other.key}").text  # only its owner and admins may


def test_who_has_no_champion_is_told_what_to_do(client: TestClient) -> None:
    enter(client, "ann")
    page = client.get("/").text
    assert "No detector has been approved yet" in page
    assert 'type="file"' not in page
    model_registry.set_alias(model_registry.CHAMPION, 2)
    client.app.state.versions._asked = float("-inf")  # type: ignore[attr-defined]
    page = client.get("/").text
    assert 'type="file"' in page
    assert "no worker runs" in page


def test_the_plain_form_takes_a_file_in_and_refuses_one_of_another_site(client: TestClient, store: Store) -> None:
    csrf = enter(client, "ann")
    file = {"file": ("<i>x</i>.png", b"\x89PNG\r\n\x1a\n", "image/png")}
    assert client.post("/check", data={"csrf": "0" * 64}, files=file).status_code == 403
    assert not store.find(DetectionRecord)
    waiting = client.post("/check", data={"csrf": csrf}, files=file)
    assert waiting.url.path.startswith("/detections/")
    assert '<noscript><meta http-equiv="refresh"' in waiting.text
    assert "<i>x" not in waiting.text
    (made,) = store.find(DetectionRecord)
    assert (made.owner, made.state, made.lane) == ("ann", "queued", "live")


def test_the_plain_form_says_what_is_wrong(client: TestClient, store: Store, settings: Settings) -> None:
    csrf = enter(client, "ann")
    model_registry.set_alias(model_registry.CHAMPION, 2)
    client.app.state.versions._asked = float("-inf")  # type: ignore[attr-defined]
    client.app.state.room._limits["live"] = 0  # type: ignore[attr-defined]
    full = client.post("/check", data={"csrf": csrf}, files={"file": ("a.png", b"x", "image/png")})
    assert full.status_code == 429
    assert int(full.headers["retry-after"]) >= 1
    assert "is full" in full.text
    assert 'role="alert"' in full.text


def test_hostile_names_are_text_everywhere(client: TestClient, store: Store, settings: Settings) -> None:
    name = '"><script>alert(1)</script>' + "x" * 150 + ".mp4"
    made = kept(store, settings, answer(name), batch=BATCH)
    enter(client, "ann")
    token = Sharing(settings.state).token(made.key)
    for path in ("/", "/history", f"/detections/{made.key}", f"/detections/{made.key}/share", f"/detections/{made.key}/delete"):
        assert "<script>alert" not in client.get(path).text
    for path in (f"/batches/{BATCH}", f"/shared/{token}"):
        assert "<script>alert" not in client.get(path).text
        assert "style=" not in client.get(path).text


def test_a_shared_link_opens_one_answer_and_ends_with_it(client: TestClient, store: Store, settings: Settings) -> None:
    made, other = kept(store, settings, answer()), kept(store, settings, answer("other.mp4"))
    enter(client, "ann")
    link = re.search(r'value="(http://127\.0\.0\.1:8000/shared/[^"]+)"', client.get(f"/detections/{made.key}/share").text)
    assert link
    client.cookies.clear()
    page = client.get(link[1])
    assert page.status_code == 200
    assert made.key not in page.text  # nothing but what the link itself opens
    assert "<form" not in page.text
    for part in ("media", "frames.jpg", "heat.jpg"):
        assert client.get(f"{link[1]}/{part}").content == JPEG
    assert client.get(f"/api/v1/detections/{made.key}/media").status_code == 401
    forged = Sharing(settings.state).token(other.key)[:-4] + "AAAA"
    assert client.get(f"/shared/{forged}").status_code == 404
    store.delete(DetectionRecord, [made.key])
    assert client.get(link[1]).status_code == 404
    assert client.get(f"{link[1]}/media").status_code == 404


def test_a_shared_link_ends_after_30_days(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sharing = Sharing(settings.state)
    token = sharing.token("ab" * 16)
    assert sharing.opened(token) == "ab" * 16
    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + 30 * 86_400 + 5)
    assert sharing.opened(token) is None


def test_a_session_cookie_is_no_link(client: TestClient, settings: Settings) -> None:
    enter(client, "ann")
    assert Sharing(settings.state).opened(client.cookies["realframe_session"]) is None


def test_deleting_needs_a_form_of_ours_and_takes_the_file_along(client: TestClient, store: Store, settings: Settings) -> None:
    made = kept(store, settings, answer())
    csrf = enter(client, "ann")
    assert "Delete this?" in client.get(f"/detections/{made.key}/delete").text
    assert client.post(f"/detections/{made.key}/delete", data={"csrf": "no"}).status_code == 403
    assert store.get(DetectionRecord, made.key)
    assert client.post(f"/detections/{made.key}/delete", data={"csrf": csrf}).url.path == "/history"
    assert store.get(DetectionRecord, made.key) is None
    assert not (settings.uploads_dir / made.key).exists()


def test_history_finds_by_name_verdict_version_and_day(client: TestClient, store: Store, settings: Settings) -> None:
    kept(store, settings, answer("Holiday (1).mp4", 0.9))
    kept(store, settings, answer("street.mp4", 0.1, model="2"), created="2026-11-22T23:59:00.000+00:00")
    enter(client, "ann")

    def found(**asked: str) -> set[str]:
        return set(re.findall(r'<th scope="row"><a href="/detections/[0-9a-f]{32}">([^<]+)</a>', client.get("/history", params=asked).text))

    assert found() == {"Holiday (1).mp4", "street.mp4"}
    assert found(file="holiday (1") == {"Holiday (1).mp4"}
    assert found(verdict="real") == {"street.mp4"}
    assert found(model="2") == {"street.mp4"}
    assert found(until="2026-11-22", since="2026-11-22") == {"street.mp4"}
    assert found(until="2026-11-21") == {"Holiday (1).mp4"}
    assert found(since="no day at all") == {"Holiday (1).mp4", "street.mp4"}
    assert client.get("/history", params={"cursor": "nonsense"}).status_code == 400


def test_a_batch_is_counted_and_read_by_a_spreadsheet_without_harm(client: TestClient, store: Store, settings: Settings) -> None:
    for name, probability in (("=cmd|' /C calc'!A0.mp4", 0.9), ("@sum.mp4", 0.1), ('a "quoted", one.mp4', 0.5)):
        kept(store, settings, answer(name, probability), batch=BATCH)
    kept(store, settings, None, batch=BATCH)
    kept(store, settings, answer("of bob.mp4"), batch=BATCH, owner="bob")
    enter(client, "ann")
    page = client.get(f"/batches/{BATCH}").text
    assert "3 of 4 done." in page
    assert re.findall(r"<li class=\"([a-z-]+)\"><b>(\d)</b>", page) == [
        ("real", "1"),
        ("ai-generated", "1"),
        ("uncertain", "1"),
        ("not-scored", "0"),
    ]
    assert "data-live" in page
    sent = client.get(f"/batches/{BATCH}/results.csv")
    assert sent.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(sent.text)))
    assert {row["file"] for row in rows} == {"./=cmd|' /C calc'!A0.mp4", "./@sum.mp4", 'a "quoted", one.mp4', "waits.mp4"}
    assert {row["verdict"] for row in rows} == {"ai-generated", "real", "uncertain", "queued"}
    assert next(row for row in rows if row["verdict"] == "real")["probability"] == "0.1"
    assert client.get("/batches/ffffffffffffffff").status_code == 404


def test_a_file_that_is_no_longer_kept_leaves_its_answer(client: TestClient, store: Store, settings: Settings) -> None:
    made = kept(store, settings, answer(), media=False)
    enter(client, "ann")
    page = client.get(f"/detections/{made.key}").text
    assert "The file is no longer kept." in page
    assert "<video" not in page
    assert "Looks AI-generated" in page


def test_what_could_not_be_scored_says_why(client: TestClient, store: Store, settings: Settings) -> None:
    nothing = {"facts": None, "verdict": "not scored", "probability": None, "interval": None, "score": None, "frames": (), "moments": ()}
    nothing |= {"tiles": None, "provenance": None, "looked_at": 0, "code": "media.not-media", "message": "page.mp4: is no media."}
    made = kept(store, settings, answer("page.mp4").model_copy(update=nothing))
    enter(client, "ann")
    page = client.get(f"/detections/{made.key}").text
    assert "page.mp4: is no media." in page
    assert "probability that it is AI-generated" not in page
    assert "Do you know better?" not in page


def test_a_review_waits_or_none_does(client: TestClient) -> None:
    enter(client, "ada")
    assert "Version 3 with no other champion beside it" in client.get("/review").text
    model_registry.drop_alias(model_registry.CHALLENGER)
    assert "No version waits for a decision" in client.get("/review").text
