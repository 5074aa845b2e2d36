"""Test the process pool: an item that crashes, hangs or fails costs only itself."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from realframe.errors import DecoderCrashError, LimitExceededError, MediaError, NotMediaError
from realframe.media import process_pool
from realframe.media.process_pool import process_items


def work(item: str) -> str:
    match item:
        case "dies":
            os._exit(3)
        case "hangs":
            time.sleep(60)
        case "refuses":
            raise NotMediaError(item, "is no media", "Give another.")
        case "breaks":
            raise RuntimeError("a defect")
    return f"{item} in {Path.cwd()}"


@pytest.mark.slow
def test_results_are_in_order_and_a_bad_item_costs_only_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process_pool, "_GRACE_S", 0)
    process_items(work, ["first"], 1, 10.0, "test")  # starts the server of the workers in another folder
    monkeypatch.chdir(tmp_path)
    results = process_items(work, ["a", "dies", "hangs", "refuses", "b"], 2, 2.0, "test")
    assert [results[0], results[4]] == [f"a in {tmp_path}", f"b in {tmp_path}"]
    assert [type(result) for result in results[1:4]] == [DecoderCrashError, LimitExceededError, NotMediaError]
    assert all(isinstance(result, MediaError) and result.subject in ("dies", "hangs", "refuses") for result in results[1:4])
    assert str(results[3]) == "refuses: is no media. Give another."


def test_a_defect_stops_the_run() -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        process_items(work, ["a", "breaks"], 1, 10.0, "test")


def test_without_items_no_process_starts() -> None:
    assert process_items(work, [], 2, 10.0, "test") == []


SCRIPT = """
from pathlib import Path
import ffmpeg
from realframe.media.ffmpeg import run_ffmpeg
from realframe.media.process_pool import process_items
from realframe.config import Limits

def decode(item):
    Path(f"started{item}").touch()
    limits = Limits(max_bytes=1, max_pixels=1, max_duration_s=1, timeout_s=100, max_memory_mb=1024)
    run_ffmpeg(ffmpeg.input("testsrc2=rate=30", f="lavfi", re=None).output("-", f="null"), limits, item)

if __name__ == "__main__":
    process_items(decode, [0, 1, 2], 2, 100.0, "test")
"""


@pytest.mark.slow
def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("started*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    below = psutil.Process(process.pid).children(recursive=True)
    assert any("ffmpeg" in child.name() for child in below)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    _, alive = psutil.wait_procs(below, timeout=10)
    assert alive == []
