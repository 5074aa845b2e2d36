"""Model versions, health, metrics, request ids, the access log, and unexpected errors."""

import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from realframe import logs
from realframe.governance import gate
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.store import detection_records, worker_status
from realframe.store.document_base import format_current_time
from realframe.store.repository import Store
from realframe.store.worker_status import WorkerStatus
from tests.detection_factory import make_unscored_detection
from tests.web.api.api_checks import DETECTIONS_URL, assert_problem
from tests.web.api.queued_uploads import finish_next, insert_record


def save_worker(store: Store, model: str = "3", problem: str = "") -> None:
    worker_status.save_status(store, WorkerStatus(worker="w", model=model, problem=problem, detection_id="", updated=format_current_time()))


def read_metrics(client: TestClient) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_model_versions_with_their_metrics(three_versions: Path, ann: TestClient) -> None:
    items = ann.get("/api/v1/models").json()["items"]
    assert [item["version"] for item in items] == [3, 2, 1]
    assert items[0]["aliases"] == ["challenger"]
    assert not items[0]["is_decided"]
    auc = items[0]["metrics"]["item"]["roc_auc"]
    assert auc["low"] <= auc["value"] <= auc["high"]


def test_the_stored_gate_result(three_versions: Path, ann: TestClient, store: Store) -> None:
    details = assert_problem(ann.get("/api/v1/models/3/gate"), 404, "request.not-found")
    assert "realframe registry gate 3" in str(details["detail"])
    assert_problem(ann.get("/api/v1/models/9/gate"), 404, "request.not-found")
    result = gate.check_gate(3, store)
    assert ann.get("/api/v1/models/3/gate").json() == result.as_dict()


def test_a_registry_that_hangs_delays_no_request(service: TestClient, ann: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monitor, asked, answered = service.app.state.monitor, threading.Event(), threading.Event()  # type: ignore[attr-defined]
    monitor.refresh()

    def answer_slowly() -> list[ModelVersion]:
        asked.set()
        assert answered.wait(60)
        return []

    monkeypatch.setattr(model_registry, "list_versions", answer_slowly)
    monitor.forget_challenger()  # lets the monitor ask again now
    assert asked.wait(60)
    began = time.monotonic()
    assert all(service.get("/readyz").status_code == 503 for _ in range(45))
    assert ann.get("/api/v1/models").status_code == 200
    assert time.monotonic() - began < 5
    answered.set()


def test_ready_only_with_all_components(three_versions: Path, service: TestClient, store: Store) -> None:
    assert service.get("/healthz").json() == {"status": "alive"}
    service.app.state.monitor.refresh()  # type: ignore[attr-defined]
    details = assert_problem(service.get("/readyz"), 503, "setup.incomplete")
    assert [error["location"] for error in details["errors"]] == ["champion", "worker"]  # type: ignore[attr-defined]
    model_registry.set_alias(model_registry.CHAMPION, 3)
    save_worker(store, model="", problem="The champion cannot be loaded.")
    service.app.state.monitor.refresh()  # type: ignore[attr-defined]
    details = assert_problem(service.get("/readyz"), 503, "setup.incomplete")
    assert details["errors"] == [{"location": "worker", "message": "The champion cannot be loaded."}]
    save_worker(store)
    service.app.state.monitor.refresh()  # type: ignore[attr-defined]
    answer = service.get("/readyz").json()
    assert answer == {"status": "ready", "age_s": answer["age_s"]}
    assert 0 <= answer["age_s"] < 60


def test_a_store_that_does_not_answer(three_versions: Path, service: TestClient, ann: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from pymongo.collection import Collection
    from pymongo.errors import ServerSelectionTimeoutError

    def fail(*_: object, **__: object) -> None:
        raise ServerSelectionTimeoutError("no server")

    for name in ("find", "find_one", "aggregate"):
        monkeypatch.setattr(Collection, name, fail)
    service.app.state.monitor.refresh()  # type: ignore[attr-defined]
    assert service.get("/healthz").status_code == 200
    details = assert_problem(service.get("/readyz"), 503, "setup.incomplete")
    assert "store" in [error["location"] for error in details["errors"]]  # type: ignore[attr-defined]
    assert_problem(ann.get(DETECTIONS_URL), 503, "metadata.unavailable")
    assert read_metrics(service)["realframe_store_up",] == 0


def test_metrics(ann: TestClient, service: TestClient, store: Store) -> None:
    for lane in ("live", "live", "live", "batch"):
        insert_record(store, lane=lane, priority=int(lane == "batch"))
    finish_next(store)
    finish_next(store, make_unscored_detection())
    save_worker(store)
    ann.post(DETECTIONS_URL, files={"file": ("a", b"x" * 7)})
    ann.get(f"{DETECTIONS_URL}/{'0' * 32}x")
    ann.get(f"{DETECTIONS_URL}/{'f' * 32}")
    ann.request("MADE-UP", DETECTIONS_URL)
    service.get("/no/such/page")
    metrics = read_metrics(service)
    assert metrics["realframe_queue", "live", "queued"] == 2
    assert metrics["realframe_queue", "batch", "queued"] == 1
    assert metrics["realframe_detections", "3", "ai-generated"] == 1
    assert metrics["realframe_detections", "3", "not scored"] == 1
    assert metrics["realframe_workers", "3"] == 1
    assert metrics["realframe_upload_bytes_total",] == 7
    assert metrics["realframe_refused_total", "request.not-found"] == 1
    assert metrics["realframe_requests_total", "GET", f"{DETECTIONS_URL}/{{detection_id}}", "404"] == 1
    assert metrics["realframe_requests_total", "GET", "none", "404"] == 1
    assert metrics["realframe_requests_total", "other", DETECTIONS_URL, "405"] == 1
    assert metrics["realframe_request_seconds_count", "POST", DETECTIONS_URL] == 1


def test_request_ids(service: TestClient) -> None:
    for request_id, is_valid in (("run-7.a_B", True), ("", False), ("a b", False), ("x" * 65, False), ("<x>", False)):
        returned = service.get("/healthz", headers={"X-Request-ID": request_id}).headers["x-request-id"]
        assert (returned == request_id) == is_valid
        assert returned
        assert assert_problem(service.get("/api/v1/nothing", headers={"X-Request-ID": request_id}), 404, "request.not-found")


def test_unknown_paths_give_problem_details_to_programs_and_a_page_to_people(service: TestClient) -> None:
    assert_problem(service.get("/api/v1/nothing"), 404, "request.not-found")
    refused = service.put(DETECTIONS_URL)
    assert_problem(refused, 405, "request.method")
    assert set(refused.headers["allow"].split(", ")) & {"GET", "POST"}
    assert "The request failed" in service.get("/nothing").text


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    logs.configure_logging()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_access_log_has_a_json_line_per_request(ann: TestClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    ann.get(DETECTIONS_URL, headers={"X-Request-ID": "r1"})
    ann.get("/healthz", headers={"X-Request-ID": "r2"})
    ann.get("/api/v1/%0aforged", headers={"X-Request-ID": "r3"})

    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(detection_records, "get_record", fail)
    response = ann.get(f"{DETECTIONS_URL}/{'0' * 32}", headers={"X-Request-ID": "r4"})
    lines = [line for line in map(json.loads, log.getvalue().splitlines()) if line["logger"].startswith("realframe")]
    assert [line["request_id"] for line in lines] == ["r1", "r3", "r4", "r4"]
    first = lines[0]
    assert (first["message"], first["method"], first["path"], first["status"], first["level"]) == (
        "request",
        "GET",
        DETECTIONS_URL,
        200,
        "info",
    )
    assert first["user"].startswith("ann-")
    assert first["seconds"] >= 0
    assert lines[1]["path"] == "/api/v1/\nforged"
    assert "ZeroDivisionError" in lines[2]["exception"]
    assert assert_problem(response, 500, "realframe")["request_id"] == "r4"
    assert "secret" not in response.text
    assert "content-security-policy" in response.headers
