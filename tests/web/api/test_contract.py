"""The OpenAPI document keeps its word: schemathesis sends what it allows and what it forbids, and finds no 5xx and no other answer."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as tries
from limits import RateLimitItemPerMinute
from PIL import Image
from schemathesis import Case, GenerationMode
from schemathesis.python.asgi import shutdown_lifespans

from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store import api_keys, upload_queue, worker_status
from realframe.store.detection_documents import DetectionRecord
from realframe.store.document_base import now
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.uploads import admission
from tests.web.api.given import PNG, answer, finish, record

_KNOWN = f"{7:032x}"
_TRIES = tries(
    max_examples=12, deadline=None, database=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)


def test_it_describes_the_api_and_no_page(service: TestClient) -> None:
    document = service.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    outside = {path for path in document["paths"] if not path.startswith("/api/v1/")}
    assert outside == {"/healthz", "/readyz", "/metrics"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["tags"], (method, path)


@pytest.fixture
def document(three_versions: Path, people: None, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The document of a service that is ready, with enough room for all that is sent."""
    monkeypatch.setattr(admission, "_FAILED_KEYS", RateLimitItemPerMinute(100_000))
    model_registry.set_alias(model_registry.CHAMPION, 3)
    app = create_app(settings.model_copy(update={"uploads_per_minute": 100_000, "queue_limit": 100_000}))
    yield schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    shutdown_lifespans()


@pytest.fixture
def worker(store: Store) -> Iterator[None]:
    """Lives, and does whatever waits at once."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.05):
            worker_status.beat(store, worker_status.WorkerBeat(worker="w", model="3", problem="", record="", at=now()))
            if not upload_queue.idle(store):
                finish(store)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    ended.set()
    thread.join()


def test_schemathesis(document: Any, worker: None, settings: Settings, store: Store) -> None:
    header = {"Authorization": f"Bearer {api_keys.add(store, 'schemathesis', 'admin', 'ada')}"}
    for operation in (found.ok() for found in document.get_all_operations()):
        takes_something = bool(operation.body or operation.query or operation.path_parameters)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)[: 1 + takes_something]:

            @_TRIES
            @given(case=operation.as_strategy(generation_mode=mode))
            def keeps_its_word(case: Case) -> None:
                _one_that_is_there(case, store, settings)
                case.call_and_validate(headers=header)

            keeps_its_word()


def _one_that_is_there(case: Case, store: Store, settings: Settings) -> None:
    """Of the ids that are allowed every other one is that of a record with all its files."""
    parameters = case.path_parameters or {}
    asked = parameters.get("detection_id", "")
    if len(asked) == 32 and asked[-1:] in "02468ace":
        parameters["detection_id"] = _KNOWN
        if store.get(DetectionRecord, _KNOWN) is None:
            record(store, detection_id=_KNOWN, created=now(), state="done", answer=answer(), verdict="ai-generated", model="3")
        folder = settings.uploads_dir / _KNOWN
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "media").write_bytes(PNG)
        for name in ("frames.jpg", "heat.jpg"):
            Image.new("RGB", (320, 160), "teal").save(folder / name)
