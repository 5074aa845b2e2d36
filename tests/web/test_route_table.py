"""Properties of every route of the application: the ``Allow`` header of a 405 answer, and no status 500 on hostile parameters."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from realframe.settings import Settings
from realframe.store import accounts, api_keys
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.auth.sessions import COOKIE, ShareLinks
from tests.detection_factory import make_detection, make_record

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
HOSTILE = (
    "",
    "0",
    "-1",
    "1_0",
    "\N{ARABIC-INDIC DIGIT THREE}",
    str(2**31),
    str(2**63 - 1),
    str(2**63),
    str(-(2**63) - 1),
    "9" * 400,
    "9" * 5000,
    "1e309",
    "nan",
    "0001-01-01",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00",
    "9999-12-31",
    "9999-12-31T23:59:59.999999-14:00",
    "9999-12-31T23:59:59.999999Z",
    "10000-01-01",
    "2026-02-30",
    "a\x00b",
    "a" * 300,
    "dataset/v" + "9" * 300,
    "f" * 65,
    "$where",
    "[(*",
    "\N{GRINNING FACE}",
    "../../etc/passwd",
)


@pytest.fixture
def client(three_versions: Path, settings: Settings, store: Store) -> Iterator[TestClient]:
    accounts.add_account(store, "ada", "admin", "correct horse battery")
    subprocess.run(["git", "init", "-q", str(settings.root)], check=True)  # the service runs in a checkout
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1:8000", follow_redirects=False, raise_server_exceptions=False
    ) as client:
        client.cookies.set(COOKIE, accounts.start_session(store, accounts.get_account(store, "ada")), domain="127.0.0.1")
        yield client


@pytest.fixture
def path_values(store: Store, settings: Settings) -> dict[str, str]:
    """A value for each path parameter that gets an answer other than `not found` where the test data have one."""
    record = make_record(make_detection(), owner="ada", batch="00112233aabbccdd")
    store.insert(record)
    token = ShareLinks(settings.state_dir).create_token(record.key)
    return {
        "detection_id": record.key,
        "token": token,
        "batch": record.batch,
        "version": "3",
        "number": "1",
        "media_id": "ab" * 32,
        "identifier": "3",
    }


def list_routes(client: TestClient) -> list[APIRoute]:
    app = client.app
    assert isinstance(app, FastAPI)
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert len(routes) > 30
    return routes


def fill(template: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: quote(values[match[1]], safe=""), template)


def test_a_405_answer_lists_all_methods_of_the_path(client: TestClient, path_values: dict[str, str]) -> None:
    paths = {fill(route.path, path_values) for route in list_routes(client)} | {"/static/app.css"}
    for path in sorted(paths - {fill("/api/v1/detections/{detection_id}", path_values)}):
        responses = {method: client.request(method, path) for method in METHODS}
        allowed = {method for method, response in responses.items() if response.status_code != 405}
        refused = [response for response in responses.values() if response.status_code == 405]
        assert refused, path
        for response in refused:
            assert set(response.headers["Allow"].split(", ")) == allowed, (path, response.request.method)


def test_the_methods_of_a_path_with_several_routes_are_all_listed(client: TestClient, path_values: dict[str, str]) -> None:
    assert client.put(fill("/api/v1/detections/{detection_id}", path_values)).headers["Allow"] == "DELETE, GET"
    assert client.delete("/api/v1/detections").headers["Allow"] == "GET, POST"
    assert client.put(fill("/detections/{detection_id}/delete", path_values)).headers["Allow"] == "GET, POST"


def test_no_query_parameter_causes_a_server_error(client: TestClient, path_values: dict[str, str]) -> None:
    sent = 0
    for route in list_routes(client):
        if "GET" not in route.methods or route.path == "/readyz":
            continue
        path = fill(route.path, path_values)
        for parameter in route.dependant.query_params:
            for value in HOSTILE:
                response = client.get(path, params={parameter.alias: value})
                assert response.status_code < 500, (route.path, parameter.alias, value[:40])
                sent += 1
    assert sent > 400


def test_no_path_parameter_causes_a_server_error(client: TestClient, path_values: dict[str, str]) -> None:
    for route in list_routes(client):
        for name in re.findall(r"\{(\w+)", route.path):
            for value in HOSTILE:
                path = fill(route.path, {**path_values, name: value})
                response = client.request(min(route.methods), path)
                assert response.status_code < 500, (route.path, value[:40])


def test_the_last_day_of_the_calendar_is_no_limit(client: TestClient, path_values: dict[str, str]) -> None:
    for until in ("9999-12-31", "9999-12-30"):
        assert path_values["detection_id"] in client.get("/history", params={"since": "0001-01-01", "until": until}).text


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59.999999-14:00", "0001-01-01T00:00:00+14:00"])
def test_the_api_accepts_the_limits_of_a_time(client: TestClient, store: Store, value: str) -> None:
    key = api_keys.add_key(store, "key", "analyst", "ada")
    for name in ("since", "until"):
        response = client.get("/api/v1/detections", params={name: value}, headers={"Authorization": f"Bearer {key}"})
        assert response.status_code == 200
