"""The watchdog: a worker whose work is stuck ends, whatever it does at that moment, and leaves the queue to another one."""

import os
import subprocess
import sys
import time

import pytest

from realframe.registry import model_registry
from realframe.store.user_documents import Prediction
from tests.worker.uploads import Uploads, wait_until

STUCK = {
    "loop": "while True: pass",
    "C code without the global lock": "time.sleep(3600)",
    "C code with the global lock": "ctypes.PyDLL(None).pause()",
    "a child process": "subprocess.run(['sleep', '30'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)",
    "another thread": "thread = threading.Thread(target=time.sleep, args=(3600,)); thread.start(); thread.join()",
}
SCRIPT = """
import ctypes, subprocess, threading, time
from realframe.worker.watchdog import Watchdog
with Watchdog(0.5) as watchdog:
    for _ in range(4):
        with watchdog.limit_time("a quick file"):
            time.sleep(0.2)
    print("quick files are done", flush=True)
    with watchdog.limit_time("the file", detection_id="d7"):
        {stuck}
"""

STUCK_WORKER = """
import ctypes, sys
from realframe.detection.detector import Detector
from realframe.worker.__main__ import main
decode = Detector.decode
def hang(self, path, *rest):
    if (self.version, path.name) == ("3", "media"):
        ctypes.PyDLL(None).pause()
    return decode(self, path, *rest)
Detector.decode = hang
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("kind", STUCK)
def test_a_process_that_is_stuck_ends_and_one_that_works_goes_on(kind: str) -> None:
    started = time.monotonic()
    script = SCRIPT.format(stuck=STUCK[kind])
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert result.stdout == "quick files are done\n"
    assert result.returncode == 1
    assert "the file takes more than" in result.stderr or "Timeout (" in result.stderr
    assert 'File "<string>", line 10' in result.stderr, "the traceback names where it is stuck"
    assert time.monotonic() - started < 20


def test_a_worker_ends_where_the_challenger_is_stuck_and_the_next_one_goes_on(three_versions: object, uploads: Uploads) -> None:
    model_registry.set_alias(model_registry.CHAMPION, 1)
    variables = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "REALFRAME_FILE_TIMEOUT_S": "25"}
    command = [sys.executable, "-c", STUCK_WORKER, "--threads", "1"]
    waiting = uploads.add_photo(state="done", shadow="waiting")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables) as stuck:
        wait_until(lambda: uploads.record(waiting).shadow == "done", 90)
        assert stuck.wait(60) == 1
    upload = uploads.add_photo()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=variables) as following:
        wait_until(lambda: uploads.record(upload).state == "done", 90)
        following.kill()
    assert uploads.store.find_keys(Prediction, {"model": 3}) == set()
