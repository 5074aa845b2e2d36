"""The embedded server: shared by processes, restarted after a kill, and stopped after its last client."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from pymongo import MongoClient

from realframe.errors import MetadataError
from realframe.store.embedded_server import find_socket, serve_embedded
from tests.other_user import open_as_nobody

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_server_of_a_deleted_folder_leaves_the_next_one_alone(tmp_path: Path) -> None:
    folder = tmp_path / "metadata"
    with serve_embedded(folder, idle_s=5):
        first = _pid(folder)
    shutil.rmtree(folder)
    with serve_embedded(folder) as uri:
        assert _pid(folder) != first and _has_ended(first, 20)
        with MongoClient(uri, serverSelectionTimeoutMS=2000) as client:
            assert client.test.counts.count_documents({}) == 0


def test_the_server_listens_on_a_private_socket_and_on_no_port(tmp_path: Path) -> None:
    with serve_embedded(tmp_path / "metadata", idle_s=1) as uri:
        server = psutil.Process(_pid(tmp_path / "metadata"))
        assert [c for c in server.net_connections("inet") if c.status == psutil.CONN_LISTEN] == []
        path = find_socket(tmp_path / "metadata")
        assert path == tmp_path / "metadata" / "store.sock"
        assert uri == f"mongodb://{quote(str(path), safe='')}/"
        assert [stat.S_IMODE(private.stat().st_mode) for private in (path, path.parent)] == [0o700, 0o700]


@pytest.mark.slow
@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_another_user_can_neither_connect_nor_read(tmp_path: Path, umask: int) -> None:
    previous = os.umask(umask)
    try:
        # pytest's own folder is private, so that a user who tries needs another one
        with tempfile.TemporaryDirectory(prefix="realframe-test-") as shared:
            Path(shared).chmod(0o755)
            folder = Path(shared) / "metadata"
            with serve_embedded(folder, idle_s=0.5) as uri, MongoClient(uri) as client:
                client.test.things.insert_one({"_id": 1})
                assert [path for path in folder.rglob("*") if path.stat().st_mode & 0o077] == []
                assert open_as_nobody([folder, *folder.rglob("*")]) == []
                server = _pid(folder)
            assert _has_ended(server, 5)
            assert not (folder / "store.sock").exists()
    finally:
        os.umask(previous)


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "TMPDIR"])
def test_a_path_that_is_too_long_for_a_socket_gets_a_short_private_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with tempfile.TemporaryDirectory(prefix="realframe-test-") as short:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setenv(variable, short)
        folder = tmp_path / ("long" * 30) / "metadata"
        with serve_embedded(folder, idle_s=1) as uri, MongoClient(uri) as client:
            assert client.admin.command("ping")["ok"] == 1
            path = find_socket(folder)
            assert path
            assert path.parent == Path(short) / f"realframe-{os.geteuid()}"
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            os.kill(_pid(folder), signal.SIGKILL)
        with serve_embedded(folder, idle_s=0.5) as again:
            assert again == uri, "the clients of a killed server find the next one"
            server = _pid(folder)
        assert _has_ended(server, 5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_short_folder_that_another_user_has_created_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="realframe-test-") as short:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setenv("TMPDIR", short)
        theirs = Path(short) / f"realframe-{os.geteuid()}"
        theirs.mkdir()
        os.chown(theirs, 65534, 65534)
        with (
            pytest.raises(MetadataError, match=r"did not start: .*realframe-0: belongs to the user 65534.*REALFRAME_HOME"),
            serve_embedded(tmp_path / ("long" * 30) / "metadata"),
        ):
            pass
        assert not list(theirs.iterdir())


def test_a_database_that_cannot_be_opened_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").write_text("this is no database, but it is long enough to look like one" * 100)
    with pytest.raises(MetadataError, match=r"did not start: .*not a database.*server\.log"), serve_embedded(tmp_path):
        pass
