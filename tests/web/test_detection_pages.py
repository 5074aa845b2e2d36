"""The pages of uploaded files, without a browser: access, forms, share links, history and batches."""

import csv
import io
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from realframe.data.ingest import ingest
from realframe.data.layouts import read_originals
from realframe.files import compute_sha256
from realframe.registry import model_registry
from realframe.runs import run_lifecycle
from realframe.settings import Settings
from realframe.store import accounts
from realframe.store.detection_documents import Detection, DetectionRecord
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.auth.sessions import COOKIE, ShareLinks
from tests.detection_factory import make_detection, make_record

PASSWORD = "correct horse battery"
BATCH = "00112233aabbccdd"
JPEG = b"\xff\xd8\xff\xe0 a picture"
ROLES: dict[str, accounts.Role] = {"ann": "analyst", "bob": "analyst", "ada": "reviewer"}


@cache
def create_account(name: str) -> accounts.Account:
    """Return an account; each password is hashed once, since that is slow."""
    return accounts._new_account(name, ROLES[name], PASSWORD)


@pytest.fixture
def client(three_versions: Path, settings: Settings, store: Store) -> Iterator[TestClient]:
    store.upsert([create_account(name) for name in ROLES])
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        yield client


def sign_in(client: TestClient, name: str) -> str:
    """Sign in without the password form; return the CSRF token."""
    client.cookies.clear()
    token = accounts.start_session(client.app.state.store, create_account(name))  # type: ignore[attr-defined]
    client.cookies.set(COOKIE, token, domain="127.0.0.1")
    match = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/history").text)
    assert match
    return match[1]


def insert_upload(store: Store, settings: Settings, result: Detection | None, **fields: object) -> DetectionRecord:
    """Insert a record with its files."""
    upload = make_record(result, **fields)
    folder = settings.uploads_dir / upload.key
    folder.mkdir(parents=True)
    for name in ("media", "frames.jpg", "heat.jpg"):
        (folder / name).write_bytes(JPEG)
    store.insert(upload)
    return upload


def test_pages_redirect_to_the_sign_in_form(client: TestClient, store: Store, settings: Settings) -> None:
    upload = insert_upload(store, settings, make_detection(), batch=BATCH)
    for path in ("/", "/history", "/review", f"/detections/{upload.key}", f"/detections/{upload.key}/share", f"/batches/{BATCH}"):
        assert client.get(path, follow_redirects=False).headers["location"] == f"/sign-in?next={path}"
    assert client.post(f"/detections/{upload.key}/delete", follow_redirects=False).status_code == 303
    assert store.get(DetectionRecord, upload.key)


def test_analysts_see_their_own_files_and_reviewers_all(client: TestClient, store: Store, settings: Settings) -> None:
    own, other = (
        insert_upload(store, settings, make_detection("mine.mp4")),
        insert_upload(store, settings, make_detection("theirs.mp4"), owner="bob"),
    )
    sign_in(client, "ann")
    assert client.get(f"/detections/{own.key}").status_code == 200
    assert client.get(f"/detections/{other.key}").status_code == 404
    assert "theirs.mp4" not in client.get("/history").text
    sign_in(client, "ada")
    page = client.get("/history").text
    assert "mine.mp4" in page
    assert "theirs.mp4" in page
    assert "bob" in page
    assert "/delete" not in client.get(f"/detections/{other.key}").text  # only the owner and admins can delete


def test_without_a_champion_the_page_explains_how_to_get_one(client: TestClient) -> None:
    sign_in(client, "ann")
    page = client.get("/").text
    assert "No detector has been approved yet" in page
    assert 'type="file"' not in page
    model_registry.set_alias(model_registry.CHAMPION, 2)
    client.app.state.monitor.refresh()  # type: ignore[attr-defined]
    page = client.get("/").text
    assert 'type="file"' in page
    assert "no worker is running" in page


def test_the_form_without_javascript_uploads_a_file_and_needs_its_csrf_token(client: TestClient, store: Store) -> None:
    csrf = sign_in(client, "ann")
    file = {"file": ("<i>x</i>.png", b"\x89PNG\r\n\x1a\n", "image/png")}
    assert client.post("/check", data={"csrf": "0" * 64}, files=file).status_code == 403
    assert not store.find(DetectionRecord)
    pending = client.post("/check", data={"csrf": csrf}, files=file)
    assert pending.url.path.startswith("/detections/")
    assert '<noscript><meta http-equiv="refresh"' in pending.text
    assert "<i>x" not in pending.text
    (upload,) = store.find(DetectionRecord)
    assert (upload.owner, upload.state, upload.lane) == ("ann", "queued", "live")


def test_the_form_without_javascript_shows_the_error(client: TestClient, store: Store, settings: Settings) -> None:
    csrf = sign_in(client, "ann")
    model_registry.set_alias(model_registry.CHAMPION, 2)
    client.app.state.monitor.refresh()  # type: ignore[attr-defined]
    client.app.state.queue_capacity._limits["live"] = 0  # type: ignore[attr-defined]
    full = client.post("/check", data={"csrf": csrf}, files={"file": ("a.png", b"x", "image/png")})
    assert full.status_code == 429
    assert int(full.headers["retry-after"]) >= 1
    assert "is full" in full.text
    assert 'role="alert"' in full.text


def test_hostile_file_names_are_escaped_everywhere(client: TestClient, store: Store, settings: Settings) -> None:
    name = '"><script>alert(1)</script>' + "x" * 150 + ".mp4"
    upload = insert_upload(store, settings, make_detection(name), batch=BATCH)
    sign_in(client, "ann")
    token = ShareLinks(settings.state_dir).create_token(upload.key)
    for path in ("/", "/history", f"/detections/{upload.key}", f"/detections/{upload.key}/share", f"/detections/{upload.key}/delete"):
        assert "<script>alert" not in client.get(path).text
    for path in (f"/batches/{BATCH}", f"/shared/{token}"):
        assert "<script>alert" not in client.get(path).text
        assert "style=" not in client.get(path).text


def test_a_share_link_shows_one_result_and_ends_with_it(client: TestClient, store: Store, settings: Settings) -> None:
    upload, other = insert_upload(store, settings, make_detection()), insert_upload(store, settings, make_detection("other.mp4"))
    sign_in(client, "ann")
    link = re.search(r'value="(/shared/[^"]+)"', client.get(f"/detections/{upload.key}/share").text)
    assert link
    client.cookies.clear()
    page = client.get(link[1])
    assert page.status_code == 200
    assert upload.key not in page.text  # the page links only to addresses below its own
    assert "<form" not in page.text
    for part in ("media", "frames.jpg", "heat.jpg"):
        assert client.get(f"{link[1]}/{part}").content == JPEG
    assert client.get(f"/api/v1/detections/{upload.key}/media").status_code == 401
    forged = ShareLinks(settings.state_dir).create_token(other.key)[:-4] + "AAAA"
    assert client.get(f"/shared/{forged}").status_code == 404
    store.delete(DetectionRecord, [upload.key])
    assert client.get(link[1]).status_code == 404
    assert client.get(f"{link[1]}/media").status_code == 404


def test_a_share_link_expires_after_30_days(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    share_links = ShareLinks(settings.state_dir)
    token = share_links.create_token("ab" * 16)
    assert share_links.read_token(token) == "ab" * 16
    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + 30 * 86_400 + 5)
    assert share_links.read_token(token) is None


def test_delete_needs_the_csrf_token_and_removes_the_files(client: TestClient, store: Store, settings: Settings) -> None:
    upload = insert_upload(store, settings, make_detection())
    csrf = sign_in(client, "ann")
    assert "Delete this file?" in client.get(f"/detections/{upload.key}/delete").text
    assert client.post(f"/detections/{upload.key}/delete", data={"csrf": "no"}).status_code == 403
    assert store.get(DetectionRecord, upload.key)
    assert client.post(f"/detections/{upload.key}/delete", data={"csrf": csrf}).url.path == "/history"
    assert store.get(DetectionRecord, upload.key) is None
    assert not (settings.uploads_dir / upload.key).exists()


def test_history_filters_by_name_verdict_version_and_day(client: TestClient, store: Store, settings: Settings) -> None:
    insert_upload(store, settings, make_detection("Holiday (1).mp4", 0.9))
    insert_upload(store, settings, make_detection("street.mp4", 0.1, model="2"), created="2026-11-22T23:59:00.000+00:00")
    sign_in(client, "ann")

    def search(**query: str) -> set[str]:
        return set(re.findall(r'<th scope="row"><a href="/detections/[0-9a-f]{32}">([^<]+)</a>', client.get("/history", params=query).text))

    assert search() == {"Holiday (1).mp4", "street.mp4"}
    assert search(file="holiday (1") == {"Holiday (1).mp4"}
    assert search(verdict="real") == {"street.mp4"}
    assert search(model="2") == {"street.mp4"}
    assert search(until="2026-11-22", since="2026-11-22") == {"street.mp4"}
    assert search(until="2026-11-21") == {"Holiday (1).mp4"}
    assert search(since="no day at all") == {"Holiday (1).mp4", "street.mp4"}
    assert client.get("/history", params={"cursor": "nonsense"}).status_code == 400


def test_a_batch_has_counts_and_a_csv_file_without_formulas(client: TestClient, store: Store, settings: Settings) -> None:
    for name, probability in (("=cmd|' /C calc'!A0.mp4", 0.9), ("@sum.mp4", 0.1), ('a "quoted", one.mp4', 0.5)):
        insert_upload(store, settings, make_detection(name, probability), batch=BATCH)
    insert_upload(store, settings, None, batch=BATCH)
    insert_upload(store, settings, make_detection("of bob.mp4"), batch=BATCH, owner="bob")
    sign_in(client, "ann")
    page = client.get(f"/batches/{BATCH}").text
    assert "3 of 4 done." in page
    assert re.findall(r"<li class=\"([a-z-]+)\"><b>(\d)</b>", page) == [
        ("real", "1"),
        ("ai-generated", "1"),
        ("uncertain", "1"),
        ("not-scored", "0"),
    ]
    assert "data-auto-refresh" in page
    table = client.get(f"/batches/{BATCH}/results.csv")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert {row["file"] for row in rows} == {"./=cmd|' /C calc'!A0.mp4", "./@sum.mp4", 'a "quoted", one.mp4', "waits.mp4"}
    assert {row["verdict"] for row in rows} == {"ai-generated", "real", "uncertain", "queued"}
    assert next(row for row in rows if row["verdict"] == "real")["probability"] == "0.1"
    assert client.get("/batches/ffffffffffffffff").status_code == 404


def test_the_result_stays_when_the_file_is_deleted(client: TestClient, store: Store, settings: Settings) -> None:
    upload = insert_upload(store, settings, make_detection(), has_files=False)
    sign_in(client, "ann")
    page = client.get(f"/detections/{upload.key}").text
    assert "The file has been deleted." in page
    assert "<video" not in page
    assert "Looks AI-generated" in page


def test_a_file_that_was_not_scored_shows_the_reason(client: TestClient, store: Store, settings: Settings) -> None:
    empty_fields = {
        "facts": None,
        "verdict": "not scored",
        "probability": None,
        "interval": None,
        "score": None,
        "frames": (),
        "moments": (),
    }
    empty_fields |= {
        "tiles": None,
        "provenance": None,
        "frames_analyzed": 0,
        "code": "media.not-media",
        "message": "page.mp4: is no media.",
    }
    upload = insert_upload(store, settings, make_detection("page.mp4").model_copy(update=empty_fields))
    sign_in(client, "ann")
    page = client.get(f"/detections/{upload.key}").text
    assert "page.mp4: is no media." in page
    assert "probability that it is AI-generated" not in page
    assert "Label this file" not in page


def test_the_review_page_with_and_without_a_challenger(client: TestClient) -> None:
    sign_in(client, "ada")
    assert "Version 3 without another champion to compare with" in client.get("/review").text
    model_registry.delete_alias(model_registry.CHALLENGER)
    assert "No version waits for a decision" in client.get("/review").text


def test_labels_on_the_page_reach_the_next_dataset(client: TestClient, store: Store, settings: Settings) -> None:
    """Two people correct a file that the originals hold with the other label; what the next run reads has their label."""
    source = settings.root / "holiday"
    (source / "fake" / "sora").mkdir(parents=True)
    file = source / "fake" / "sora" / "photo.jpg"
    file.write_bytes(JPEG)
    ingest(source, settings.raw_dir, cache_dir=settings.cache_dir)
    sha256 = compute_sha256(file)
    upload = insert_upload(store, settings, make_detection("photo.jpg", sha256=sha256))
    answers = []
    for name, label in (("ann", "real"), ("ada", "fake"), ("ada", "real")):
        csrf = sign_in(client, name)
        page = client.post(f"/detections/{upload.key}/feedback", data={"csrf": csrf, "label": label, "reason": "I took it"})
        assert "Your label is saved" in page.text
        answers.append(re.search(r'<p class="label-state" role="note">(.*?)</p>', page.text, re.DOTALL)[1])  # type: ignore[index]
    waiting, disputed, agreed = answers
    assert "One person says real" in waiting and "People disagree" in disputed and "2 people say real" in agreed
    run_lifecycle.import_new_data(store, settings)
    (entry,) = read_originals(settings.raw_dir)
    assert (entry.label, entry.generator, entry.source) == ("real", "", "feedback")
    assert "The label was accepted" in client.get(f"/detections/{upload.key}").text
