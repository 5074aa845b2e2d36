"""The service conforms to its OpenAPI document: schemathesis sends valid and invalid requests and checks every response."""

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
from realframe.store.document_base import format_current_time
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.uploads import admission
from tests.web.api.queued_uploads import PNG, finish_next, insert_record, make_result

_EXISTING_ID = f"{7:032x}"
_TRIES = tries(
    max_examples=12, deadline=None, database=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)


def test_the_document_describes_the_api_but_no_pages(service: TestClient) -> None:
    document = service.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    other_paths = {path for path in document["paths"] if not path.startswith("/api/v1/")}
    assert other_paths == {"/healthz", "/readyz", "/metrics"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["tags"], (method, path)


@pytest.fixture
def document(
    three_versions: Path, accounts_of_all_roles: None, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The OpenAPI document of a service that is ready, without limits for the test's requests."""
    monkeypatch.setattr(admission, "_FAILED_KEYS", RateLimitItemPerMinute(100_000))
    model_registry.set_alias(model_registry.CHAMPION, 3)
    app = create_app(settings.model_copy(update={"uploads_per_minute": 100_000, "queue_limit": 100_000}))
    yield schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    shutdown_lifespans()


@pytest.fixture
def worker(store: Store) -> Iterator[None]:
    """A worker that finishes each waiting file at once."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.05):
            worker_status.save_status(
                store, worker_status.WorkerStatus(worker="w", model="3", problem="", detection_id="", updated=format_current_time())
            )
            if not upload_queue.is_empty(store):
                finish_next(store)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    ended.set()
    thread.join()


def test_schemathesis(document: Any, worker: None, settings: Settings, store: Store) -> None:
    header = {"Authorization": f"Bearer {api_keys.add_key(store, 'schemathesis', 'admin', 'ada')}"}
    for operation in (result.ok() for result in document.get_all_operations()):
        has_input = bool(operation.body or operation.query or operation.path_parameters)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)[: 1 + has_input]:

            @_TRIES
            @given(case=operation.as_strategy(generation_mode=mode))
            def conforms(case: Case) -> None:
                _use_existing_id(case, store, settings)
                case.call_and_validate(headers=header)

            conforms()


def _use_existing_id(case: Case, store: Store, settings: Settings) -> None:
    """Replace every second valid id by that of a record with all its files."""
    parameters = case.path_parameters or {}
    detection_id = parameters.get("detection_id", "")
    if len(detection_id) == 32 and detection_id[-1:] in "02468ace":
        parameters["detection_id"] = _EXISTING_ID
        if store.get(DetectionRecord, _EXISTING_ID) is None:
            insert_record(
                store,
                detection_id=_EXISTING_ID,
                created=format_current_time(),
                state="done",
                result=make_result(),
                verdict="ai-generated",
                model="3",
            )
        folder = settings.uploads_dir / _EXISTING_ID
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "media").write_bytes(PNG)
        for name in ("frames.jpg", "heat.jpg"):
            Image.new("RGB", (320, 160), "teal").save(folder / name)
