"""Handing a file in: what is accepted is on disk and in the store, what is refused leaves nothing."""

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
from realframe.web.uploads import multipart_form, upload
from tests.web.api.conftest import Program, left
from tests.web.api.given import finish, record, work

HERE = "/api/v1/detections"
FORM = {"Content-Type": "multipart/form-data; boundary=cut"}
PART = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'


def problem(answer: object, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    assert answer.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    told = answer.json()  # type: ignore[attr-defined]
    assert (told["status"], told["code"], told["type"]) == (status, code, f"urn:realframe:{code}")
    assert told["request_id"] == answer.headers["x-request-id"]  # type: ignore[attr-defined]
    return dict(told)


def test_what_is_accepted_is_on_disk_and_in_the_store(ann: TestClient, store: Store, settings: Settings) -> None:
    answer = ann.post(HERE, files={"file": ("C:\\films\\clip\u202e.mp4", b"\r\n--cut" * 40_000)}, params={"batch": "ab" * 8})
    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["location"] == told["links"]["self"] == f"{HERE}/{told['detection_id']}"
    assert (told["state"], told["file"], told["owner"], told["lane"]) == ("queued", "clip.mp4", "ann", "batch")
    assert not set(told) & {"worker", "claimed_until", "rank", "attempts", "shadow"}
    kept = store.get(DetectionRecord, told["detection_id"])
    assert kept
    assert (kept.bytes, kept.rank, kept.batch) == (280_000, 1, "ab" * 8)
    assert left(settings) == [settings.uploads_dir / kept.key / "media"]
    assert left(settings)[0].read_bytes() == b"\r\n--cut" * 40_000


def test_an_empty_file_is_accepted(ann: TestClient, store: Store) -> None:
    assert ann.post(HERE, files={"file": ("a.mp4", b"")}).status_code == 202
    assert store.page(DetectionRecord, {}, 1)[0].bytes == 0


def test_who_waits_gets_the_answer_once_it_is_there(ann: TestClient, store: Store) -> None:
    undone = ann.post(HERE, files={"file": ("a.mp4", b"x")}, params={"wait": 0.3})
    assert (undone.status_code, undone.json()["state"]) == (202, "queued")
    worker = threading.Thread(target=work, args=(store, 2))
    worker.start()
    done = ann.post(HERE, files={"file": ("a.mp4", b"x")}, params={"wait": 30})
    worker.join()
    assert (done.status_code, done.json()["verdict"]) == (200, "ai-generated")
    assert done.json()["answer"]["probability"] == 0.97


REFUSED = {
    "nothing": (FORM, b"", 400),
    "cut short in the file": (FORM, PART + b"abc", 400),
    "cut short before its end": (FORM, PART + b"abc\r\n--cut", 400),
    "no file": (FORM, PART.replace(b'"file"', b'"fail"') + b"abc\r\n--cut--\r\n", 400),
    "no part": (FORM, b"--cut--\r\n", 400),
    "two files": (FORM, PART + b"abc\r\n" + PART + b"abc\r\n--cut--\r\n", 400),
    "nothing chosen": (FORM, PART.replace(b"a.mp4", b"") + b"\r\n--cut--\r\n", 400),
    "another boundary": (FORM, PART.replace(b"--cut", b"--cat") + b"abc\r\n--cat--\r\n", 400),
    "many parts": (FORM, PART.replace(b'"file"', b'"fail"') * 20 + b"--cut--\r\n", 400),
    "a large field": (FORM, PART.replace(b'"file"', b'"fail"') + b"a" * 5000 + b"\r\n--cut--\r\n", 400),
    "a large header": (FORM, b"--cut\r\nX: " + b"a" * 10_000 + b"\r\n\r\nabc\r\n--cut--\r\n", 400),
    "no boundary": ({"Content-Type": "multipart/form-data"}, PART, 400),
    "a huge boundary": ({"Content-Type": f"multipart/form-data; boundary={'b' * 300}"}, PART, 400),
    "bytes alone": ({"Content-Type": "video/mp4"}, b"abc", 415),
    "no type": ({}, b"abc", 415),
}


def test_what_is_no_form_with_one_file_is_refused(ann: TestClient, store: Store, settings: Settings) -> None:
    for what, (headers, body, status) in REFUSED.items():
        answer = ann.post(HERE, content=body, headers=headers)
        problem(answer, status, "request.body" if status == 400 else "request.body-type")
        assert not left(settings), what
        assert not store.keys(DetectionRecord), what


@tries(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=strategies.binary(max_size=200), headers=strategies.booleans(), ended=strategies.booleans(), name=strategies.binary(max_size=30)
)
def test_no_body_breaks_it(ann: TestClient, settings: Settings, body: bytes, headers: bool, ended: bool, name: bytes) -> None:
    sent = (PART.replace(b"a.mp4", name) if headers else b"") + body + (b"\r\n--cut--" if ended else b"")
    answer = ann.post(HERE, content=sent, headers=FORM)
    assert answer.status_code in (202, 400)
    if answer.status_code == 202:
        assert left(settings)[-1].read_bytes() in body
    assert not [path for path in left(settings) if path.name != "media"]


@given(strategies.binary(max_size=300) | strategies.text(max_size=300).map(lambda text: text.encode(errors="replace")))
def test_a_name_is_what_people_see(raw: bytes) -> None:
    name = multipart_form.cleaned(raw)
    assert 0 < len(name) <= 200
    assert not set(name) & set("/\\\0\n\r\t\u202e")
    assert name.strip() == name
    assert name.strip(".")
    assert multipart_form.cleaned(name.encode()) == name


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
def test_names(raw: bytes, name: str) -> None:
    assert multipart_form.cleaned(raw) == name


class TestLimits:
    @pytest.fixture
    def limits(self) -> dict[str, object]:
        return {"upload_max_bytes": 200_000, "queue_limit": 2, "batch_limit": 1, "uploads_per_minute": 8}

    def test_a_file_may_have_so_many_bytes(self, ann: TestClient, settings: Settings) -> None:
        assert ann.post(HERE, files={"file": ("a", b"x" * 200_000)}).status_code == 202
        problem(ann.post(HERE, files={"file": ("a", b"x" * 200_001)}), 413, "request.too-large")
        assert len(left(settings)) == 1

    def test_a_length_that_is_too_large_is_refused_at_once(self, ann: TestClient) -> None:
        problem(ann.post(HERE, content=PART, headers={**FORM, "Content-Length": "999999"}), 413, "request.too-large")

    def test_a_full_queue_says_when_to_come_back(self, ann: TestClient, store: Store) -> None:
        for _ in range(3):
            record(store, lane="live")
            finish(store)
        for _ in range(2):
            assert ann.post(HERE, files={"file": ("a", b"x")}).status_code == 202
        answer = ann.post(HERE, files={"file": ("a", b"x")})
        problem(answer, 429, "request.busy")
        assert answer.headers["retry-after"] == "4"  # two files of four seconds, half of which are done by then
        assert ann.post(HERE, files={"file": ("a", b"x")}, params={"batch": "0" * 16}).status_code == 202
        problem(ann.post(HERE, files={"file": ("a", b"x")}, params={"batch": "0" * 16}), 429, "request.busy")
        finish(store)
        assert ann.post(HERE, files={"file": ("a", b"x")}).status_code == 202

    def test_so_many_in_a_minute(self, ann: TestClient, program: Program) -> None:
        left = []
        for _ in range(8):
            answer = ann.post(HERE, content=b"", headers=FORM)
            left.append(answer.headers["ratelimit-remaining"])
        assert left == ["7", "6", "5", "4", "3", "2", "1", "0"]
        refused = ann.post(HERE, content=b"", headers=FORM)
        problem(refused, 429, "request.too-often")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["ratelimit-limit"] == "8"
        assert program("ann").post(HERE, content=b"", headers=FORM).status_code == 400  # another key


@pytest.mark.parametrize("where", ["fsync", "mkdir"])
def test_a_full_disk_leaves_nothing(where: str, ann: TestClient, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"realframe.web.uploads.upload.os.{where}" if where == "fsync" else "pathlib.Path.mkdir", full)
    problem(ann.post(HERE, files={"file": ("a", b"x")}), 507, "request.no-room")
    monkeypatch.undo()
    assert not left(settings)
    assert not store.keys(DetectionRecord)


def test_a_store_that_fails_leaves_nothing(ann: TestClient, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from pymongo.collection import Collection
    from pymongo.errors import AutoReconnect

    written = Collection.insert_one

    def broken(*_: object, **__: object) -> None:
        raise AutoReconnect("gone")

    def heard_too_late(*given: object, **more: object) -> None:
        written(*given, **more)  # type: ignore[arg-type]
        raise AutoReconnect("gone")

    monkeypatch.setattr(Collection, "insert_one", heard_too_late)
    assert ann.delete(ann.post(HERE, files={"file": ("a", b"x")}).headers["location"]).status_code == 204
    monkeypatch.setattr(Collection, "insert_one", broken)
    problem(ann.post(HERE, files={"file": ("a", b"x")}), 503, "metadata.unavailable")
    assert not left(settings)
    assert [path.name for path in settings.uploads_dir.iterdir()] == [".incoming"]


def test_what_a_killed_process_left_is_swept_but_not_what_has_a_record(store: Store, settings: Settings) -> None:
    kept = record(store)
    old = time.time() - 3 * 24 * 3600
    files = [settings.uploads_dir / name for name in (f"{kept.key}/media", f"{'0' * 31}a/media", ".incoming/old", ".incoming/new")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
        if file.name != "new":
            os.utime(file, (old, old))
            os.utime(file.parent, (old, old))
    upload.sweep(store, settings.uploads_dir)
    assert left(settings) == sorted((files[0], files[3]))


def _begin(live: tuple[str, int], key: str, length: int) -> socket.socket:
    line = socket.create_connection(live)
    head = f"POST {HERE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: {FORM['Content-Type']}\r\n"
    line.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + PART)
    return line


def test_who_goes_away_midway_leaves_nothing(live: tuple[str, int], live_key: str, settings: Settings, store: Store) -> None:
    with _begin(live, live_key, 10_000_000) as line:
        line.sendall(b"x" * 1_000_000)
        while not left(settings) or left(settings)[0].stat().st_size < 500_000:
            time.sleep(0.02)
    until = time.monotonic() + 10
    while left(settings) and time.monotonic() < until:
        time.sleep(0.02)
    assert not left(settings)
    assert not store.keys(DetectionRecord)


def test_who_sends_nothing_is_not_waited_for(
    live: tuple[str, int], live_key: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "_PAUSE_S", 0.2)
    with _begin(live, live_key, 10_000) as line:
        assert line.recv(100_000).startswith(b"HTTP/1.1 408")
    assert not left(settings)


def test_a_large_file_is_never_in_memory(live: tuple[str, int], live_key: str, settings: Settings, store: Store) -> None:
    size, piece, end = 150_000_000, b"x" * 100_000, b"\r\n--cut--\r\n"
    process = psutil.Process()
    with _begin(live, live_key, len(PART) + size + len(end)) as line:
        before, most = process.memory_info().rss, 0
        for _ in range(size // len(piece)):
            line.sendall(piece)
            most = max(most, process.memory_info().rss)
        line.sendall(end)
        answer = HTTPResponse(line)
        answer.begin()
        kept = json.loads(answer.read())
    assert (answer.status, kept["bytes"]) == (202, size)
    assert [path.stat().st_size for path in left(settings)] == [size]
    assert most - before < 30_000_000
