"""Fixtures of the tests of the API: the real application on the real store, and programs with keys."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient

from realframe.settings import Settings
from realframe.store import accounts, api_keys
from realframe.store.accounts import Role
from realframe.store.repository import Store
from realframe.web.app import create_app
from tests.web.api.given import PASSWORD

Program = Callable[..., TestClient]
_PEOPLE: dict[str, Role] = {"ann": "analyst", "ben": "analyst", "rea": "reviewer", "ada": "admin"}


@pytest.fixture
def people(store: Store) -> None:
    """Accounts of all roles."""
    for name, role in _PEOPLE.items():
        accounts.add(store, name, role, PASSWORD)


@pytest.fixture
def limits() -> dict[str, object]:
    """What a test changes of the settings."""
    return {}


@pytest.fixture
def service(people: None, settings: Settings, limits: dict[str, object]) -> Iterator[TestClient]:
    """The application, for somebody without a key."""
    with TestClient(create_app(settings.model_copy(update=limits)), base_url="http://127.0.0.1:8000") as opened:
        yield opened


@pytest.fixture
def program(service: TestClient, store: Store) -> Program:
    """Give a program of somebody's, with a key of its own."""

    def made(owner: str = "ann", role: Role | None = None) -> TestClient:
        key = api_keys.add(store, f"{owner}-{time.monotonic_ns()}", role or _PEOPLE[owner], owner)
        caller = TestClient(service.app, base_url=str(service.base_url), headers={"Authorization": f"Bearer {key}"})
        caller.portal = service.portal  # the one application that has started
        return caller

    return made


@pytest.fixture
def ann(program: Program) -> TestClient:
    return program("ann")


@pytest.fixture
def live(people: None, settings: Settings, limits: dict[str, object]) -> Iterator[tuple[str, int]]:
    """The application on a port of its own; return host and port."""
    config = uvicorn.Config(create_app(settings.model_copy(update=limits)), port=0, log_level="critical", timeout_graceful_shutdown=1)
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
def live_key(people: None, store: Store) -> str:
    return api_keys.add(store, "live", "analyst", "ann")


def left(settings: Settings) -> list[Path]:
    """All files of uploads on disk."""
    return sorted(path for path in settings.uploads_dir.rglob("*") if path.is_file())
