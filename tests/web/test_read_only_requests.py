"""A GET changes nothing and loads no TensorFlow: the real web process, every route, every role, with a version that waits for a review."""

import hashlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image
from pymongo import MongoClient

from realframe import artifacts
from realframe.data import manifest
from realframe.governance import gate, ledger
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store import accounts, api_keys
from realframe.store.index_sync import sync_models
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.auth.sessions import COOKIE, ShareLinks
from tests import run_folder
from tests.detection_factory import make_detection
from tests.state_fixtures import COMMIT, empty_registry
from tests.web import data_repository
from tests.web.test_detection_pages import BATCH, insert_upload
from tests.web.test_pages import find_csrf_token

__all__ = ["empty_registry"]
pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
PASSWORD = "correct horse battery"
ROLES: dict[str, accounts.Role] = {"ann": "analyst", "rea": "reviewer", "ada": "admin"}


@pytest.fixture
def versions(tmp_path: Path, settings: Settings, empty_registry: Path) -> tuple[int, int]:
    """A champion, set by hand in MLflow, and a challenger of another test split, whose items the champion would have to score."""

    def register(folder: Path, splits: Any, bias: float) -> int:
        run_folder.write_training(folder, splits)
        manifest.write(splits, folder / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
        run_folder.write_model(folder, bias)
        return model_registry.register_folder(folder, commit=COMMIT, trainer="Tom")

    table = run_folder.make_media_table(50)
    for number in range(len(table)):
        path = settings.raw_dir / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
        table.loc[number, ["media_id", "path", "kind"]] = [hashlib.sha256(path.read_bytes()).hexdigest(), path.name, "image"]
    pictures = run_folder.make_split_table(table)
    earlier = pictures.head(24)
    shifted = earlier.assign(split=np.roll(earlier["split"].to_numpy(), 3))
    champion = register(tmp_path / "runs" / "champion", shifted, 0.5)
    challenger = register(tmp_path / "runs" / "challenger", pictures, 0.1)
    model_registry.set_alias("champion", champion)
    return champion, challenger


@contextmanager
def run_web_process(log: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """Run ``realframe serve`` without workers; yield a client, and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "realframe", "serve", "--port", str(port), "--workers", "0"]
    with log.open("w") as stream, subprocess.Popen(command, stdout=stream, stderr=stream, env=dict(os.environ)) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                for _ in range(600):
                    assert process.poll() is None, log.read_text()
                    try:
                        client.get("/healthz")
                        break
                    except httpx.TransportError:
                        time.sleep(0.2)
                yield client, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def has_tensorflow(process: psutil.Process) -> bool:
    return any("tensorflow" in region.path for region in process.memory_maps())


def read_state(settings: Settings) -> dict[str, object]:
    """Return all documents of the store, all rows of MLflow's tables, and the digest of each file, by name."""
    state: dict[str, object] = {}
    with MongoClient(settings.mongodb_uri) as client:
        database = client[settings.mongodb_database]
        for name in database.list_collection_names():
            state[f"store {name}"] = sorted(map(repr, database[name].find()))
    with closing(sqlite3.connect(settings.state_dir / "mlflow.db")) as database_file:
        state["mlflow"] = "\n".join(database_file.iterdump())
    for path in settings.root.rglob("*"):
        if path.is_file() and not path.name.startswith("mlflow.db") and path.suffix != ".log":
            state[str(path.relative_to(settings.root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return state


def list_get_routes(settings: Settings) -> set[str]:
    return {route.path for route in create_app(settings).routes if "GET" in (getattr(route, "methods", None) or ())}


def fill_in(route: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        route = route.replace(f"{{{name}}}", value)
    assert "{" not in route, f"{route}: give this test a value of the new path parameter"
    return route


def test_no_get_request_writes_or_loads_tensorflow(versions: tuple[int, int], settings: Settings, store: Store, tmp_path: Path) -> None:
    champion, challenger = versions
    splits = data_repository.create(settings.root)
    for name, role in ROLES.items():
        accounts.add_account(store, name, role, PASSWORD)
    keys = {name: api_keys.add_key(store, name, role, name) for name, role in ROLES.items()}
    sessions = {name: {COOKIE: accounts.start_session(store, accounts.get_account(store, name))} for name in ROLES}
    sync_models(store, model_registry.list_versions())
    upload = insert_upload(store, settings, make_detection(), batch=BATCH)
    for name in ("media", "frames.jpg", "heat.jpg"):
        Image.new("RGB", (64, 48)).save(settings.uploads_dir / upload.key / name, "JPEG")
    values = {
        "detection_id": upload.key,
        "batch": BATCH,
        "token": ShareLinks(settings.state_dir).create_token(upload.key),
        "number": "1",
        "media_id": splits.iloc[1]["media_id"],
    }
    versioned = [{"version": str(number), "identifier:path": str(number)} for number in (champion, challenger, 99)]
    paths = sorted({fill_in(route, values | numbers) for route in list_get_routes(settings) for numbers in versioned})
    paths += ["/static/app.css", "/nowhere", "/data/v1/items?split=test&label=fake", "/history?file=a&verdict=real", "/lineage?query=1"]
    log = tmp_path.parent / "serve.log"
    statuses: dict[str, dict[str, int]] = {}
    with run_web_process(log) as (client, process):
        before = read_state(settings)
        callers = [("anonymous", {}, {}), *((name, sessions[name], {}) for name in ROLES)]
        callers += [(f"key of {name}", {}, {"Authorization": f"Bearer {key}"}) for name, key in keys.items()]
        for caller, cookies, headers in callers:
            client.cookies.clear()
            client.cookies.update(cookies)
            statuses[caller] = {path: client.get(path, headers=headers).status_code for path in paths}
        after = read_state(settings)
        assert sorted(name for name in before | after if before.get(name) != after.get(name)) == []
        assert not has_tensorflow(process)
        failed = {path: status for answers in statuses.values() for path, status in answers.items() if status >= 500}
        assert failed == {"/readyz": 503}  # there is no worker
        assert statuses["rea"][f"/versions/{challenger}"] == statuses["ann"]["/review"] == statuses["ada"]["/versions"] == 200
        assert statuses["anonymous"][f"/versions/{challenger}"] == 303

        client.cookies.update(sessions["rea"])
        page = client.get(f"/versions/{challenger}").text
        assert "The gate is not computed yet" in page and f"realframe registry gate {challenger}" in page
        assert "its alias was set in MLflow, which is not in the ledger yet" in page
        assert f"Version {challenger} compared with version {champion}" in page
        form = {"choice": "approve", "csrf": find_csrf_token(page), "override": "a pilot"}
        refused = client.post(f"/versions/{challenger}/decision", data=form)
        assert refused.status_code == 409 and f"realframe registry gate {challenger}" in refused.text
        assert [entry.action for entry in ledger.list_entries(store)] == ["alias_set"]  # a POST brings the ledger up to date
        result = gate.check_gate(challenger, store)
        assert result.headline in client.get(f"/versions/{challenger}").text
        assert client.post(f"/versions/{challenger}/decision", data=form).status_code == 303
        assert model_registry.find_champion() == model_registry.get_version(challenger)
        assert not has_tensorflow(process)
    assert has_tensorflow(psutil.Process())  # the check above finds it where it is loaded
    assert "Traceback" not in log.read_text()
