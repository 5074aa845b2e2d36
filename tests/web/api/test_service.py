"""How the service is: models, health, figures, request ids, the log, and what nobody foresaw."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from realframe import logs
from realframe.registry import model_registry
from realframe.store import detection_records, worker_status
from realframe.store.document_base import now
from realframe.store.repository import Store
from realframe.store.worker_status import WorkerBeat
from tests.web.api.given import finish, not_scored, record
from tests.web.api.test_handing_in import HERE, problem


def beat(store: Store, model: str = "3", said: str = "") -> None:
    worker_status.beat(store, WorkerBeat(worker="w", model=model, problem=said, record="", at=now()))


def figures(client: TestClient) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_the_versions_with_their_figures(three_versions: Path, ann: TestClient) -> None:
    items = ann.get("/api/v1/models").json()["items"]
    assert [item["version"] for item in items] == [3, 2, 1]
    assert items[0]["aliases"] == ["challenger"]
    assert not items[0]["decided"]
    auc = items[0]["figures"]["item"]["roc_auc"]
    assert auc["low"] <= auc["value"] <= auc["high"]


def test_ready_only_with_all_its_parts(three_versions: Path, service: TestClient, store: Store) -> None:
    assert service.get("/healthz").json() == {"status": "alive"}
    told = problem(service.get("/readyz"), 503, "setup.incomplete")
    assert [one["where"] for one in told["errors"]] == ["champion", "worker"]  # type: ignore[attr-defined]
    model_registry.set_alias(model_registry.CHAMPION, 3)
    service.app.state.versions._asked = float("-inf")  # type: ignore[attr-defined]
    beat(store, model="", said="The champion can't be loaded.")
    told = problem(service.get("/readyz"), 503, "setup.incomplete")
    assert told["errors"] == [{"where": "worker", "message": "The champion can't be loaded."}]
    beat(store)
    assert service.get("/readyz").json() == {"status": "ready"}


def test_a_store_that_does_not_answer(three_versions: Path, service: TestClient, ann: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from pymongo.collection import Collection
    from pymongo.errors import ServerSelectionTimeoutError

    def down(*_: object, **__: object) -> None:
        raise ServerSelectionTimeoutError("no server")

    for name in ("find", "find_one", "aggregate"):
        monkeypatch.setattr(Collection, name, down)
    assert service.get("/healthz").status_code == 200
    told = problem(service.get("/readyz"), 503, "setup.incomplete")
    assert "store" in [one["where"] for one in told["errors"]]  # type: ignore[attr-defined]
    problem(ann.get(HERE), 503, "metadata.unavailable")
    assert figures(service)["realframe_store_up",] == 0


def test_figures(ann: TestClient, service: TestClient, store: Store) -> None:
    for lane in ("live", "live", "live", "batch"):
        record(store, lane=lane, rank=int(lane == "batch"))
    finish(store)
    finish(store, not_scored())
    beat(store)
    ann.post(HERE, files={"file": ("a", b"x" * 7)})
    ann.get(f"{HERE}/{'0' * 32}x")
    ann.get(f"{HERE}/{'f' * 32}")
    ann.request("MADE-UP", HERE)
    service.get("/no/such/page")
    told = figures(service)
    assert told["realframe_queue", "live", "queued"] == 2
    assert told["realframe_queue", "batch", "queued"] == 1
    assert told["realframe_detections", "3", "ai-generated"] == 1
    assert told["realframe_detections", "3", "not scored"] == 1
    assert told["realframe_workers", "3"] == 1
    assert told["realframe_upload_bytes_total",] == 7
    assert told["realframe_refused_total", "request.not-there"] == 1
    assert told["realframe_requests_total", "GET", f"{HERE}/{{detection_id}}", "404"] == 1
    assert told["realframe_requests_total", "GET", "none", "404"] == 1
    assert told["realframe_requests_total", "other", HERE, "405"] == 1
    assert told["realframe_request_seconds_count", "POST", HERE] == 1


def test_request_ids(service: TestClient) -> None:
    for given, kept in (("run-7.a_B", True), ("", False), ("a b", False), ("x" * 65, False), ("<x>", False)):
        told = service.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"]
        assert (told == given) == kept
        assert told
        assert problem(service.get("/api/v1/nothing", headers={"X-Request-ID": given}), 404, "request.not-there")


def test_what_does_not_exist_is_a_problem_for_programs_and_a_page_for_people(service: TestClient) -> None:
    problem(service.get("/api/v1/nothing"), 404, "request.not-there")
    refused = service.put(HERE)
    problem(refused, 405, "request.method")
    assert set(refused.headers["allow"].split(", ")) & {"GET", "POST"}
    assert "That did not work" in service.get("/nothing").text


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    logs.configure()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_log_is_a_line_of_json_per_request(ann: TestClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    ann.get(HERE, headers={"X-Request-ID": "r1"})
    ann.get("/healthz", headers={"X-Request-ID": "r2"})
    ann.get("/api/v1/%0aforged", headers={"X-Request-ID": "r3"})

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(detection_records, "find", broken)
    told = ann.get(f"{HERE}/{'0' * 32}", headers={"X-Request-ID": "r4"})
    lines = [line for line in map(json.loads, log.getvalue().splitlines()) if line["logger"].startswith("realframe")]
    assert [line["request_id"] for line in lines] == ["r1", "r3", "r4", "r4"]
    first = lines[0]
    assert (first["message"], first["method"], first["path"], first["status"], first["level"]) == ("answered", "GET", HERE, 200, "info")
    assert first["who"].startswith("ann-")
    assert first["seconds"] >= 0
    assert lines[1]["path"] == "/api/v1/\nforged"
    assert "ZeroDivisionError" in lines[2]["exception"]
    assert problem(told, 500, "realframe")["request_id"] == "r4"
    assert "secret" not in told.text
    assert "content-security-policy" in told.headers
