"""Fixtures of the API tests: the real application on a real store, and clients with API keys."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from fastapi.testclient import TestClient

from realframe.settings import Settings
from realframe.store import accounts, api_keys
from realframe.store.accounts import Role
from realframe.store.repository import Store
from realframe.web.app import create_app
from tests.web.api.queued_uploads import PASSWORD

CreateClient = Callable[..., TestClient]
_ROLES: dict[str, Role] = {"ann": "analyst", "ben": "analyst", "rea": "reviewer", "ada": "admin"}


@pytest.fixture
def accounts_of_all_roles(store: Store) -> None:
    """Create an account of each role."""
    for name, role in _ROLES.items():
        accounts.add_account(store, name, role, PASSWORD)


@pytest.fixture
def changed_settings() -> dict[str, object]:
    """Settings that a test changes."""
    return {}


@pytest.fixture
def service(accounts_of_all_roles: None, settings: Settings, changed_settings: dict[str, object]) -> Iterator[TestClient]:
    """A client of the application without an API key."""
    with TestClient(create_app(settings.model_copy(update=changed_settings)), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def create_client(service: TestClient, store: Store) -> CreateClient:
    """Create a client with a new API key of an account."""

    def create(owner: str = "ann", role: Role | None = None) -> TestClient:
        key = api_keys.add_key(store, f"{owner}-{time.monotonic_ns()}", role or _ROLES[owner], owner)
        client = TestClient(service.app, base_url=str(service.base_url), headers={"Authorization": f"Bearer {key}"})
        client.portal = service.portal  # share the application that is already started
        return client

    return create


@pytest.fixture
def ann(create_client: CreateClient) -> TestClient:
    """A client of the analyst ann."""
    return create_client("ann")


@pytest.fixture
def live(accounts_of_all_roles: None, settings: Settings, changed_settings: dict[str, object]) -> Iterator[tuple[str, int]]:
    """Run the application on a free port; return host and port."""
    config = uvicorn.Config(
        create_app(settings.model_copy(update=changed_settings)), port=0, log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield server.servers[0].sockets[0].getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def live_key(accounts_of_all_roles: None, store: Store) -> str:
    """An API key for the running application."""
    return api_keys.add_key(store, "live", "analyst", "ann")
