"""What is kept of a file, as it is given out, and what somebody says of it."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from realframe.feedback.feedback_labels import cases
from realframe.settings import Settings
from realframe.store.detection_documents import DetectionRecord, FileFacts
from realframe.store.repository import Store
from realframe.store.user_documents import Feedback
from tests.web.api.conftest import Program
from tests.web.api.given import answer, finish, not_scored
from tests.web.api.test_handing_in import HERE, problem
from tests.web.api.test_records import at


def handed_in(client: TestClient, store: Store, name: str, data: bytes, said: object = None) -> DetectionRecord:
    assert client.post(HERE, files={"file": (name, data)}).status_code == 202
    return finish(store, said)  # type: ignore[arg-type]


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    Image.new("RGB", (32, 24), "teal").save(tmp_path / "x.png")
    return (tmp_path / "x.png").read_bytes()


def of_kind(container: str, kind: str = "image") -> FileFacts:
    return FileFacts(kind=kind, container=container, codec="x", width=9, height=9, fps=0, frames=1, duration_s=0, bytes=9)  # type: ignore[arg-type]


def test_the_file_is_shown_as_what_it_is_and_never_run(ann: TestClient, store: Store) -> None:
    clip = handed_in(ann, store, 'ü "x".html', b"0123456789")
    told = ann.get(f"{at(clip)}/media")
    assert (told.status_code, told.content, told.headers["content-type"]) == (200, b"0123456789", "video/mp4")
    assert told.headers["content-disposition"] == "inline; filename*=utf-8''%C3%BC%20%22x%22.html"
    assert told.headers["x-content-type-options"] == "nosniff"
    assert told.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    still = handed_in(ann, store, "a.html", b"x", answer(facts=of_kind("jpeg")))
    assert ann.get(f"{at(still)}/media").headers["content-type"] == "image/jpeg"


def test_a_part_of_the_file(ann: TestClient, store: Store) -> None:
    media = f"{at(handed_in(ann, store, 'a.mp4', b'0123456789'))}/media"
    part = ann.get(media, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    beyond = ann.get(media, headers={"Range": "bytes=10-"})
    problem(beyond, 416, "request.refused")
    assert beyond.headers["content-range"] == "bytes */10"
    problem(ann.get(media, headers={"Range": "bytes=x"}), 400, "request.body")


def test_what_is_no_media_is_not_given_out(ann: TestClient, store: Store) -> None:
    ann.post(HERE, files={"file": ("a.mp4", b"<script>")})
    waiting = store.page(DetectionRecord, {}, 1)[0]
    problem(ann.get(f"{at(waiting)}/media"), 404, "request.not-there")
    problem(ann.get(f"{at(waiting)}/report.html"), 404, "request.not-there")
    refused = finish(store, not_scored())
    for name in ("media", "frames.jpg", "heat.jpg"):
        problem(ann.get(f"{at(refused)}/{name}"), 404, "request.not-there")


def test_the_pictures_of_its_frames(ann: TestClient, store: Store, settings: Settings) -> None:
    clip = handed_in(ann, store, "a.mp4", b"x")
    for name in ("frames.jpg", "heat.jpg"):
        problem(ann.get(f"{at(clip)}/{name}"), 404, "request.not-there")
        (settings.uploads_dir / clip.key / name).write_bytes(name.encode())
        told = ann.get(clip_link := f"{at(clip)}/{name}")
        assert (told.content, told.headers["content-type"]) == (name.encode(), "image/jpeg"), clip_link


def test_the_report_is_one_file_to_take_along(ann: TestClient, store: Store, settings: Settings, picture: bytes) -> None:
    clip = handed_in(ann, store, "<script>alert(1)</script>.mp4", b"x", answer(file="<script>alert(1)<script>.mp4"))
    for name in ("frames.jpg", "heat.jpg"):
        Image.new("RGB", (320, 160), "teal").save(settings.uploads_dir / clip.key / name)
    told = ann.get(f"{at(clip)}/report.html")
    assert told.headers["content-type"] == "text/html; charset=utf-8"
    assert told.headers["content-disposition"] == f'attachment; filename="realframe-{clip.key}.html"'
    assert "data:image/jpeg;base64" in told.text
    assert "<script" not in told.text


def test_what_people_say_of_it(program: Program, store: Store, settings: Settings, picture: bytes) -> None:
    photo = handed_in(program("ann"), store, "my photo.JPG", picture, answer(facts=of_kind("png")))
    said = program("ann").post(f"{at(photo)}/feedback", json={"label": "real", "why": "I took it"})
    assert (said.status_code, said.json()["state"], said.json()["said"]) == (200, "waits", [{"label": "real", "why": "I took it"}])
    assert program("rea").post(f"{at(photo)}/feedback", json={"label": "real"}).json()["state"] == "agreed"
    assert program("ann").post(f"{at(photo)}/feedback", json={"label": "fake"}).json()["state"] == "disputed"
    (case,) = cases(store)
    assert {opinion.by: opinion.label for opinion in case.said} == {"ann": "fake", "rea": "real"}
    assert {opinion.file for opinion in case.said} == {"my photo.JPG"}
    assert {opinion.kept for opinion in case.said} == {f"{case.media_id}.png"}
    assert (settings.feedback_dir / f"{case.media_id}.png").read_bytes() == picture


def test_nothing_can_be_said_of_what_is_kept_no_more_or_is_no_media(ann: TestClient, store: Store, picture: bytes) -> None:
    photo = handed_in(ann, store, "a.png", picture)
    store.change(DetectionRecord, photo.key, {"media": False})
    problem(ann.post(f"{at(photo)}/feedback", json={"label": "real"}), 409, "request.not-kept")
    text = handed_in(ann, store, "a.png", b"text", not_scored())
    problem(ann.post(f"{at(text)}/feedback", json={"label": "real"}), 409, "media.not-media")
    for body in ({}, {"label": "maybe"}, {"label": "real", "why": "x" * 2001}, [], "real"):
        problem(ann.post(f"{at(text)}/feedback", json=body), 422, "request.invalid")
    for content in (b"{", b'{"label": "real", "why": "\\ud800"}', b"\xff"):
        answered = ann.post(f"{at(text)}/feedback", content=content, headers={"Content-Type": "application/json"})
        assert answered.status_code in (400, 422)
    large = b'{"label": "real", "why": "' + b"x" * 200_000 + b'"}'
    problem(ann.post(f"{at(text)}/feedback", content=large), 413, "request.too-large")
    unsaid = ann.post(f"{at(text)}/feedback", content=iter([large]), headers={"Content-Type": "application/json"})
    assert unsaid.status_code in (400, 413)
    assert not store.keys(Feedback)
