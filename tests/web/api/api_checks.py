"""Addresses and checks that the tests of the API share."""

from pathlib import Path

from httpx2 import Response

from realframe.settings import Settings
from realframe.store.detection_documents import DetectionRecord

DETECTIONS_URL = "/api/v1/detections"


def detection_url(record: DetectionRecord) -> str:
    return f"{DETECTIONS_URL}/{record.key}"


def assert_problem(response: Response, status: int, code: str) -> dict[str, object]:
    """Check that a response has problem details, and return them."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"urn:realframe:{code}")
    assert problem["request_id"] == response.headers["x-request-id"]
    return dict(problem)


def stored_files(settings: Settings) -> list[Path]:
    """Return all uploaded files on disk."""
    return sorted(path for path in settings.uploads_dir.rglob("*") if path.is_file())
