"""``copy_output``: the output goes where it went before, and to a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from realframe.logs import copy_output

WRITE = "import os; os.write(1, b'child out\\n'); os.write(2, b'child err\\n'); os.write(2, b'\\r10 %\\r100 %\\nlast')"


def test_output_of_this_process_and_its_children_is_in_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "logs" / "run.log"
    with copy_output(file):
        os.write(1, b"before\n")
        subprocess.run([sys.executable, "-c", WRITE], check=True)
    os.write(1, b"after\n")
    printed = capfd.readouterr()
    assert printed.out == "before\nchild out\nafter\n"
    assert printed.err == "child err\n\r10 %\r100 %\nlast"
    assert sorted(file.read_text().splitlines()) == ["100 %", "before", "child err", "child out", "last"]


def test_an_error_is_in_the_file_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="the cause"), copy_output(tmp_path / "run.log"):
        raise ValueError("the cause")
    assert (tmp_path / "run.log").read_text().endswith("ValueError: the cause\n")
    assert capfd.readouterr() == ("", "")


def test_one_terminal_keeps_the_order_of_both_streams(tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from realframe.logs import copy_output
with copy_output(Path({str(tmp_path / "run.log")!r})):
    for number in range(200):
        os.write(1 + number % 2, f"{{number}}\\n".encode())
"""
    command = [sys.executable, "-c", script]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    assert process.stdout.split() == (tmp_path / "run.log").read_text().split() == [str(number) for number in range(200)]


def test_a_service_that_stays_does_not_hold_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.logs._LAST_OUTPUT_S", 0.1)
    with copy_output(tmp_path / "run.log"):
        service = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        os.write(1, b"started\n")
    assert service.poll() is None
    service.kill()
    service.wait()
    assert "started" in (tmp_path / "run.log").read_text()
