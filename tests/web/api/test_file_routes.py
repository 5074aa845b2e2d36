"""The files of a detection, and labels of a file."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from realframe.feedback.feedback_labels import list_cases
from realframe.settings import Settings
from realframe.store.detection_documents import DetectionRecord, FileFacts
from realframe.store.repository import Store
from realframe.store.user_documents import Feedback
from tests.detection_factory import make_unscored_detection
from tests.web.api.api_checks import DETECTIONS_URL, assert_problem, detection_url
from tests.web.api.conftest import CreateClient
from tests.web.api.queued_uploads import finish_next, make_result


def upload_and_finish(client: TestClient, store: Store, name: str, data: bytes, result: object = None) -> DetectionRecord:
    assert client.post(DETECTIONS_URL, files={"file": (name, data)}).status_code == 202
    return finish_next(store, result)  # type: ignore[arg-type]


@pytest.fixture
def png_bytes(tmp_path: Path) -> bytes:
    Image.new("RGB", (32, 24), "teal").save(tmp_path / "x.png")
    return (tmp_path / "x.png").read_bytes()


def file_facts(container: str, kind: str = "image") -> FileFacts:
    return FileFacts(kind=kind, container=container, codec="x", width=9, height=9, fps=0, frames=1, duration_s=0, bytes=9)  # type: ignore[arg-type]


def test_the_media_type_follows_the_content_and_the_file_is_sandboxed(ann: TestClient, store: Store) -> None:
    clip = upload_and_finish(ann, store, 'ü "x".html', b"0123456789")
    response = ann.get(f"{detection_url(clip)}/media")
    assert (response.status_code, response.content, response.headers["content-type"]) == (200, b"0123456789", "video/mp4")
    assert response.headers["content-disposition"] == "inline; filename*=utf-8''%C3%BC%20%22x%22.html"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    still = upload_and_finish(ann, store, "a.html", b"x", make_result(facts=file_facts("jpeg")))
    assert ann.get(f"{detection_url(still)}/media").headers["content-type"] == "image/jpeg"


def test_range_requests(ann: TestClient, store: Store) -> None:
    media = f"{detection_url(upload_and_finish(ann, store, 'a.mp4', b'0123456789'))}/media"
    part = ann.get(media, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    beyond = ann.get(media, headers={"Range": "bytes=10-"})
    assert_problem(beyond, 416, "request.refused")
    assert beyond.headers["content-range"] == "bytes */10"
    assert_problem(ann.get(media, headers={"Range": "bytes=x"}), 400, "request.body")


def test_a_file_that_is_not_media_is_not_served(ann: TestClient, store: Store) -> None:
    ann.post(DETECTIONS_URL, files={"file": ("a.mp4", b"<script>")})
    waiting = store.find_page(DetectionRecord, {}, 1)[0]
    assert_problem(ann.get(f"{detection_url(waiting)}/media"), 404, "request.not-found")
    assert_problem(ann.get(f"{detection_url(waiting)}/report.html"), 404, "request.not-found")
    refused = finish_next(store, make_unscored_detection())
    for name in ("media", "frames.jpg", "heat.jpg"):
        assert_problem(ann.get(f"{detection_url(refused)}/{name}"), 404, "request.not-found")


def test_sprites(ann: TestClient, store: Store, settings: Settings) -> None:
    clip = upload_and_finish(ann, store, "a.mp4", b"x")
    for name in ("frames.jpg", "heat.jpg"):
        assert_problem(ann.get(f"{detection_url(clip)}/{name}"), 404, "request.not-found")
        (settings.uploads_dir / clip.key / name).write_bytes(name.encode())
        response = ann.get(f"{detection_url(clip)}/{name}")
        assert (response.content, response.headers["content-type"]) == (name.encode(), "image/jpeg"), name


def test_the_report_is_one_html_file(ann: TestClient, store: Store, settings: Settings, png_bytes: bytes) -> None:
    clip = upload_and_finish(ann, store, "<script>alert(1)</script>.mp4", b"x", make_result(file="<script>alert(1)<script>.mp4"))
    for name in ("frames.jpg", "heat.jpg"):
        Image.new("RGB", (320, 160), "teal").save(settings.uploads_dir / clip.key / name)
    response = ann.get(f"{detection_url(clip)}/report.html")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-disposition"] == f'attachment; filename="realframe-{clip.key}.html"'
    assert "data:image/jpeg;base64" in response.text
    assert "<script" not in response.text


def test_labels_of_several_people(create_client: CreateClient, store: Store, settings: Settings, png_bytes: bytes) -> None:
    photo = upload_and_finish(create_client("ann"), store, "my photo.JPG", png_bytes, make_result(facts=file_facts("png")))
    response = create_client("ann").post(f"{detection_url(photo)}/feedback", json={"label": "real", "reason": "I took it"})
    assert (response.status_code, response.json()["state"], response.json()["labels"]) == (
        200,
        "waiting",
        [{"label": "real", "reason": "I took it"}],
    )
    assert create_client("rea").post(f"{detection_url(photo)}/feedback", json={"label": "real"}).json()["state"] == "agreed"
    assert create_client("ann").post(f"{detection_url(photo)}/feedback", json={"label": "fake"}).json()["state"] == "disputed"
    (case,) = list_cases(store)
    assert {vote.person: vote.label for vote in case.votes} == {"ann": "fake", "rea": "real"}
    assert {vote.file for vote in case.votes} == {"my photo.JPG"}
    assert {vote.stored_name for vote in case.votes} == {f"{case.media_id}.png"}
    assert (settings.feedback_dir / f"{case.media_id}.png").read_bytes() == png_bytes


def test_deleted_files_and_files_that_are_not_media_cannot_be_labeled(ann: TestClient, store: Store, png_bytes: bytes) -> None:
    photo = upload_and_finish(ann, store, "a.png", png_bytes)
    store.update(DetectionRecord, photo.key, {"has_files": False})
    assert_problem(ann.post(f"{detection_url(photo)}/feedback", json={"label": "real"}), 409, "request.gone")
    text = upload_and_finish(ann, store, "a.png", b"text", make_unscored_detection())
    assert_problem(ann.post(f"{detection_url(text)}/feedback", json={"label": "real"}), 409, "media.not-media")
    for body in ({}, {"label": "maybe"}, {"label": "real", "reason": "x" * 2001}, [], "real"):
        assert_problem(ann.post(f"{detection_url(text)}/feedback", json=body), 422, "request.invalid")
    for content in (b"{", b'{"label": "real", "reason": "\\ud800"}', b"\xff"):
        response = ann.post(f"{detection_url(text)}/feedback", content=content, headers={"Content-Type": "application/json"})
        assert response.status_code in (400, 422)
    large = b'{"label": "real", "reason": "' + b"x" * 200_000 + b'"}'
    assert_problem(ann.post(f"{detection_url(text)}/feedback", content=large), 413, "request.too-large")
    without_length = ann.post(f"{detection_url(text)}/feedback", content=iter([large]), headers={"Content-Type": "application/json"})
    assert without_length.status_code in (400, 413)
    assert not store.find_keys(Feedback)
