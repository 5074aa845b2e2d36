"""The embedded server: shared by processes, restarted after a kill, and stopped after its last client."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pymongo import MongoClient

from realframe.errors import MetadataError
from realframe.store.embedded_server import serve_embedded

COUNT_ONE = """
import sys
from pathlib import Path
from pymongo import MongoClient
from realframe.store.embedded_server import serve_embedded
with serve_embedded(Path(sys.argv[1])) as uri, MongoClient(uri) as client:
    for _ in range(20):
        client.test.counts.update_one({"_id": "all"}, {"$inc": {"n": 1}}, upsert=True)
"""


def _pid(folder: Path) -> int:
    return int(json.loads((folder / "address.json").read_text())["pid"])


def _has_ended(pid: int, within_s: float) -> bool:
    try:
        psutil.Process(pid).wait(within_s)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_processes_that_start_together_share_one_server(tmp_path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", COUNT_ONE, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    servers = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if "realframe.store.embedded_server" in (process.info["cmdline"] or []) and str(tmp_path) in process.info["cmdline"]
    ]
    assert servers == [_pid(tmp_path)]
    with serve_embedded(tmp_path) as uri, MongoClient(uri) as client:
        assert client.test.counts.find_one() == {"_id": "all", "n": 60}


def test_a_restarted_server_has_everything_that_the_killed_one_acknowledged(tmp_path: Path) -> None:
    with serve_embedded(tmp_path, idle_s=1) as uri, MongoClient(uri, serverSelectionTimeoutMS=200) as client:
        client.test.things.insert_many({"_id": number} for number in range(100))
        first = _pid(tmp_path)
        os.kill(first, signal.SIGKILL)
        assert _has_ended(first, 5)
    with serve_embedded(tmp_path, idle_s=1) as uri, MongoClient(uri) as client:
        assert client.test.things.count_documents({}) == 100
        assert _pid(tmp_path) != first


@pytest.mark.slow
def test_the_server_stops_after_its_last_client_and_not_before(tmp_path: Path) -> None:
    with serve_embedded(tmp_path, idle_s=0.5) as uri:
        time.sleep(1.5)
        with serve_embedded(tmp_path), MongoClient(uri) as client:
            assert client.admin.command("ping")["ok"] == 1
        server = _pid(tmp_path)
    assert _has_ended(server, 5)


@pytest.mark.slow
def test_the_server_waits_for_the_next_client_before_it_stops(tmp_path: Path) -> None:
    with serve_embedded(tmp_path, idle_s=1.5):
        server = _pid(tmp_path)
        time.sleep(2)
    time.sleep(0.7)
    with serve_embedded(tmp_path, idle_s=1.5):
        assert _pid(tmp_path) == server


def test_the_server_listens_on_the_loopback_interface_only(tmp_path: Path) -> None:
    with serve_embedded(tmp_path, idle_s=1):
        listening = [c.laddr.ip for c in psutil.Process(_pid(tmp_path)).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


def test_a_database_that_cannot_be_opened_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").write_text("this is no database, but it is long enough to look like one" * 100)
    with pytest.raises(MetadataError, match=r"did not start: .*not a database.*server\.log"), serve_embedded(tmp_path):
        pass
