"""Uploads: an accepted file is on disk and in the store, a refused one leaves nothing behind."""

import errno
import json
import os
import socket
import threading
import time
from http.client import HTTPResponse

import psutil
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as tries

from realframe.settings import Settings
from realframe.store.detection_documents import DetectionRecord
from realframe.store.repository import Store
from realframe.store.upload_queue import remove_orphans
from realframe.web.uploads import multipart_form, upload
from tests.web.api.api_checks import DETECTIONS_URL, assert_problem, stored_files
from tests.web.api.conftest import CreateClient
from tests.web.api.queued_uploads import finish_next, finish_uploads, insert_record

FORM = {"Content-Type": "multipart/form-data; boundary=cut"}
PART = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'


def test_an_accepted_file_is_on_disk_and_in_the_store(ann: TestClient, store: Store, settings: Settings) -> None:
    response = ann.post(DETECTIONS_URL, files={"file": ("C:\\films\\clip\u202e.mp4", b"\r\n--cut" * 40_000)}, params={"batch": "ab" * 8})
    assert response.status_code == 202
    resource = response.json()
    assert response.headers["location"] == resource["links"]["self"] == f"{DETECTIONS_URL}/{resource['detection_id']}"
    assert (resource["state"], resource["file"], resource["owner"], resource["lane"]) == ("queued", "clip.mp4", "ann", "batch")
    assert not set(resource) & {"worker", "claimed_until", "priority", "attempts", "shadow"}
    record = store.get(DetectionRecord, resource["detection_id"])
    assert record
    assert (record.bytes, record.priority, record.batch) == (280_000, 1, "ab" * 8)
    assert stored_files(settings) == [settings.uploads_dir / record.key / "media"]
    assert stored_files(settings)[0].read_bytes() == b"\r\n--cut" * 40_000


def test_an_empty_file_is_accepted(ann: TestClient, store: Store) -> None:
    assert ann.post(DETECTIONS_URL, files={"file": ("a.mp4", b"")}).status_code == 202
    assert store.find_page(DetectionRecord, {}, 1)[0].bytes == 0


def test_a_waiting_client_gets_the_result_when_it_is_done(ann: TestClient, store: Store) -> None:
    not_done = ann.post(DETECTIONS_URL, files={"file": ("a.mp4", b"x")}, params={"wait": 0.3})
    assert (not_done.status_code, not_done.json()["state"]) == (202, "queued")
    worker = threading.Thread(target=finish_uploads, args=(store, 2))
    worker.start()
    done = ann.post(DETECTIONS_URL, files={"file": ("a.mp4", b"x")}, params={"wait": 30})
    worker.join()
    assert (done.status_code, done.json()["verdict"]) == (200, "ai-generated")
    assert done.json()["result"]["probability"] == 0.97


MALFORMED_REQUESTS = {
    "empty body": (FORM, b"", 400),
    "cut short inside the file": (FORM, PART + b"abc", 400),
    "cut short before the end": (FORM, PART + b"abc\r\n--cut", 400),
    "no file": (FORM, PART.replace(b'"file"', b'"fail"') + b"abc\r\n--cut--\r\n", 400),
    "no part": (FORM, b"--cut--\r\n", 400),
    "two files": (FORM, PART + b"abc\r\n" + PART + b"abc\r\n--cut--\r\n", 400),
    "no file chosen": (FORM, PART.replace(b"a.mp4", b"") + b"\r\n--cut--\r\n", 400),
    "another boundary": (FORM, PART.replace(b"--cut", b"--cat") + b"abc\r\n--cat--\r\n", 400),
    "many parts": (FORM, PART.replace(b'"file"', b'"fail"') * 20 + b"--cut--\r\n", 400),
    "a large field": (FORM, PART.replace(b'"file"', b'"fail"') + b"a" * 5000 + b"\r\n--cut--\r\n", 400),
    "a large header": (FORM, b"--cut\r\nX: " + b"a" * 10_000 + b"\r\n\r\nabc\r\n--cut--\r\n", 400),
    "no boundary": ({"Content-Type": "multipart/form-data"}, PART, 400),
    "a huge boundary": ({"Content-Type": f"multipart/form-data; boundary={'b' * 300}"}, PART, 400),
    "bytes without a form": ({"Content-Type": "video/mp4"}, b"abc", 415),
    "no type": ({}, b"abc", 415),
}


def test_a_body_other_than_a_form_with_one_file_is_refused(ann: TestClient, store: Store, settings: Settings) -> None:
    for name, (headers, body, status) in MALFORMED_REQUESTS.items():
        response = ann.post(DETECTIONS_URL, content=body, headers=headers)
        assert_problem(response, status, "request.body" if status == 400 else "request.body-type")
        assert not stored_files(settings), name
        assert not store.find_keys(DetectionRecord), name


@tries(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=strategies.binary(max_size=200),
    has_header=strategies.booleans(),
    is_complete=strategies.booleans(),
    name=strategies.binary(max_size=30),
)
def test_arbitrary_bodies_are_accepted_or_refused(
    ann: TestClient, settings: Settings, body: bytes, has_header: bool, is_complete: bool, name: bytes
) -> None:
    content = (PART.replace(b"a.mp4", name) if has_header else b"") + body + (b"\r\n--cut--" if is_complete else b"")
    response = ann.post(DETECTIONS_URL, content=content, headers=FORM)
    assert response.status_code in (202, 400)
    if response.status_code == 202:
        assert stored_files(settings)[-1].read_bytes() in body
    assert not [path for path in stored_files(settings) if path.name != "media"]


@given(strategies.binary(max_size=300) | strategies.text(max_size=300).map(lambda text: text.encode(errors="replace")))
def test_a_cleaned_name_has_only_visible_characters(raw: bytes) -> None:
    name = multipart_form.clean_file_name(raw)
    assert 0 < len(name) <= 200
    assert not set(name) & set("/\\\0\n\r\t\u202e")
    assert name.strip() == name
    assert name.strip(".")
    assert multipart_form.clean_file_name(name.encode()) == name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"../../etc/passwd", "passwd"),
        (b"C:\\films\\a.mp4", "a.mp4"),
        ("Ru\u0308be.jpg".encode(), "R\u00fcbe.jpg"),
        (b"<b>.png", "<b>.png"),
        (b"a" * 10_000, "a" * 200),
        (b"..", "unnamed"),
        (b"/", "unnamed"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_clean_file_name(raw: bytes, name: str) -> None:
    assert multipart_form.clean_file_name(raw) == name


class TestLimits:
    @pytest.fixture
    def changed_settings(self) -> dict[str, object]:
        return {"upload_max_bytes": 200_000, "queue_limit": 2, "batch_limit": 1, "uploads_per_minute": 8}

    def test_a_file_over_the_size_limit_is_refused(self, ann: TestClient, settings: Settings) -> None:
        assert ann.post(DETECTIONS_URL, files={"file": ("a", b"x" * 200_000)}).status_code == 202
        assert_problem(ann.post(DETECTIONS_URL, files={"file": ("a", b"x" * 200_001)}), 413, "request.too-large")
        assert len(stored_files(settings)) == 1

    def test_a_content_length_over_the_limit_is_refused_at_once(self, ann: TestClient) -> None:
        assert_problem(ann.post(DETECTIONS_URL, content=PART, headers={**FORM, "Content-Length": "999999"}), 413, "request.too-large")

    def test_a_full_queue_says_when_to_retry(self, ann: TestClient, store: Store) -> None:
        for _ in range(3):
            insert_record(store, lane="live")
            finish_next(store)
        for _ in range(2):
            assert ann.post(DETECTIONS_URL, files={"file": ("a", b"x")}).status_code == 202
        refused = ann.post(DETECTIONS_URL, files={"file": ("a", b"x")})
        assert_problem(refused, 429, "request.busy")
        assert refused.headers["retry-after"] == "4"  # two files of four seconds each; half of them are done by then
        assert ann.post(DETECTIONS_URL, files={"file": ("a", b"x")}, params={"batch": "0" * 16}).status_code == 202
        assert_problem(ann.post(DETECTIONS_URL, files={"file": ("a", b"x")}, params={"batch": "0" * 16}), 429, "request.busy")
        finish_next(store)
        assert ann.post(DETECTIONS_URL, files={"file": ("a", b"x")}).status_code == 202

    def test_uploads_per_minute_are_limited_per_key(self, ann: TestClient, create_client: CreateClient) -> None:
        remaining = []
        for _ in range(8):
            response = ann.post(DETECTIONS_URL, content=b"", headers=FORM)
            remaining.append(response.headers["ratelimit-remaining"])
        assert remaining == ["7", "6", "5", "4", "3", "2", "1", "0"]
        refused = ann.post(DETECTIONS_URL, content=b"", headers=FORM)
        assert_problem(refused, 429, "request.rate-limit")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["ratelimit-limit"] == "8"
        assert create_client("ann").post(DETECTIONS_URL, content=b"", headers=FORM).status_code == 400  # another key


@pytest.mark.parametrize("function", ["fsync", "mkdir"])
def test_a_full_disk_leaves_nothing(
    function: str, ann: TestClient, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_disk_full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"realframe.web.uploads.upload.os.{function}" if function == "fsync" else "pathlib.Path.mkdir", raise_disk_full)
    assert_problem(ann.post(DETECTIONS_URL, files={"file": ("a", b"x")}), 507, "request.insufficient-storage")
    monkeypatch.undo()
    assert not stored_files(settings)
    assert not store.find_keys(DetectionRecord)


def test_a_store_that_fails_leaves_nothing(ann: TestClient, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from pymongo.collection import Collection
    from pymongo.errors import AutoReconnect

    insert_one = Collection.insert_one

    def fail(*_: object, **__: object) -> None:
        raise AutoReconnect("gone")

    def insert_then_fail(*args: object, **kwargs: object) -> None:
        insert_one(*args, **kwargs)  # type: ignore[arg-type]
        raise AutoReconnect("gone")

    monkeypatch.setattr(Collection, "insert_one", insert_then_fail)
    assert ann.delete(ann.post(DETECTIONS_URL, files={"file": ("a", b"x")}).headers["location"]).status_code == 204
    monkeypatch.setattr(Collection, "insert_one", fail)
    assert_problem(ann.post(DETECTIONS_URL, files={"file": ("a", b"x")}), 503, "metadata.unavailable")
    assert not stored_files(settings)
    assert [path.name for path in settings.uploads_dir.iterdir()] == [".incoming"]


def test_orphaned_files_are_removed_but_not_those_with_a_record(store: Store, settings: Settings) -> None:
    existing = insert_record(store)
    old_time = time.time() - 3 * 24 * 3600
    files = [settings.uploads_dir / name for name in (f"{existing.key}/media", f"{'0' * 31}a/media", ".incoming/old", ".incoming/new")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
        if file.name != "new":
            os.utime(file, (old_time, old_time))
            os.utime(file.parent, (old_time, old_time))
    remove_orphans(store, settings.uploads_dir)
    assert stored_files(settings) == sorted((files[0], files[3]))


def _start_upload(live: tuple[str, int], key: str, length: int) -> socket.socket:
    connection = socket.create_connection(live)
    head = f"POST {DETECTIONS_URL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: {FORM['Content-Type']}\r\n"
    connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + PART)
    return connection


def test_a_client_that_disconnects_leaves_nothing(live: tuple[str, int], live_key: str, settings: Settings, store: Store) -> None:
    with _start_upload(live, live_key, 10_000_000) as connection:
        connection.sendall(b"x" * 1_000_000)
        while not stored_files(settings) or stored_files(settings)[0].stat().st_size < 500_000:
            time.sleep(0.02)
    deadline = time.monotonic() + 10
    while stored_files(settings) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not stored_files(settings)
    assert not store.find_keys(DetectionRecord)


def test_a_stalled_upload_is_ended(live: tuple[str, int], live_key: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_READ_TIMEOUT_S", 0.2)
    with _start_upload(live, live_key, 10_000) as connection:
        assert connection.recv(100_000).startswith(b"HTTP/1.1 408")
    assert not stored_files(settings)


def test_a_large_file_is_never_in_memory(live: tuple[str, int], live_key: str, settings: Settings, store: Store) -> None:
    size, piece, end = 150_000_000, b"x" * 100_000, b"\r\n--cut--\r\n"
    process = psutil.Process()
    with _start_upload(live, live_key, len(PART) + size + len(end)) as connection:
        start_bytes, peak_bytes = process.memory_info().rss, 0
        for _ in range(size // len(piece)):
            connection.sendall(piece)
            peak_bytes = max(peak_bytes, process.memory_info().rss)
        connection.sendall(end)
        response = HTTPResponse(connection)
        response.begin()
        resource = json.loads(response.read())
    assert (response.status, resource["bytes"]) == (202, size)
    assert [path.stat().st_size for path in stored_files(settings)] == [size]
    assert peak_bytes - start_bytes < 30_000_000
