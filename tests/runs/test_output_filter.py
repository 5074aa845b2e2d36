"""The output of a run: one line per stage, the output of the stages, whole errors; no hints of DVC and no routine messages."""

import os
import pty
import re
import shutil
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from realframe.runs.output_filter import OutputFilter, run_filtered

HINTS = ("lock file", "dvc push", "up to date", "python -m pipelines", "skipping run", "absl", "INFO mlflow")
TALK = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
# three lines for each of the two streams, and a progress bar, which appears on terminals only
CHILD = """
import sys
from tqdm import tqdm
for stream in (sys.stdout, sys.stderr):
    print("> python -m pipelines.train", "epoch 1", "Updating lock file 'dvc.lock'", "no end", sep="\\n", end="", file=stream, flush=True)
print(file=sys.stderr)
list(tqdm(range(3), "work", disable=None))
sys.exit(3)
"""


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "realframe", "run", "prepare_data", *arguments]
    env = {name: value for name, value in os.environ.items() if name not in ("MONGODB_URI", "MLFLOW_TRACKING_URI")}
    env |= {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}", "REALFRAME_ROOT": str(root), "REALFRAME_HOME": str(root / ".realframe")}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def home(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("home") / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(root)], check=True)
    rng = np.random.default_rng(0)
    for label in ("real", "fake"):
        (root / "data" / "raw" / label).mkdir(parents=True)
        for number in range(12):
            picture = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).resize((320, 320), Image.Resampling.NEAREST)
            picture.save(root / "data" / "raw" / label / f"{number}.png")
    return root


@pytest.mark.timeout(900)
def test_a_run_prints_its_stages_and_their_output_but_no_hints(home: Path) -> None:
    first = _run(home)
    assert first.returncode == 0, first.stderr
    assert "stage catalog: running\ncatalog: 24 files = 24 used" in first.stdout
    assert len(re.findall("^stage split_dataset:", first.stdout, re.MULTILINE)) == 1
    assert "dataset/v1" in first.stdout
    second = _run(home)
    assert second.returncode == 0, second.stderr
    assert "stage catalog: cached, restoring its outputs\n" in second.stdout
    assert "stage catalog: running" not in second.stdout
    printed = first.stdout + first.stderr + second.stdout + second.stderr
    assert not [hint for hint in HINTS if hint in printed]


@pytest.mark.timeout(900)
def test_a_failed_stage_prints_its_whole_message(home: Path) -> None:
    shutil.rmtree(home / "data" / "raw" / "fake")
    done = _run(home)
    assert done.returncode == 1
    assert "TooFewItemsError: class fake: has no usable items" in done.stderr
    assert "failed to reproduce" in done.stderr
    assert "run.failed: dvc repro" in done.stderr


def test_both_streams_are_filtered_separately(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_filtered([sys.executable, "-c", CHILD], tmp_path, os.environ) == 3
    captured = capfd.readouterr()
    assert captured.out == "epoch 1\nno end"
    assert captured.err == "epoch 1\nno end\n"


def test_a_progress_bar_is_drawn_on_a_terminal(tmp_path: Path) -> None:
    code = "import os, sys\nfrom pathlib import Path\nfrom realframe.runs.output_filter import filtered_stderr, run_filtered\n"
    code += f"CHILD = {CHILD!r}\n"
    code += "with filtered_stderr():\n    run_filtered([sys.executable, '-c', CHILD], Path(), os.environ)\n"
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    child = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    printed = b""
    with suppress(OSError):  # the end of a terminal
        while chunk := os.read(master, 4096):
            printed += chunk
    assert child.wait() == 0
    os.close(master)
    assert b"epoch 1" in printed
    assert b"work: 100%" in printed
    assert b"lock file" not in printed


@given(st.lists(st.text(st.sampled_from("a bar\r\n"), max_size=9)))
def test_unknown_text_passes_unchanged_in_any_chunks(chunks: list[str]) -> None:
    output_filter = OutputFilter()
    assert "".join(map(output_filter.feed, chunks)) + output_filter.flush() == "".join(chunks)


@given(cut=st.integers(0, 2 * len(TALK)))
def test_a_known_line_is_dropped_wherever_it_is_cut(cut: int) -> None:
    output_filter = OutputFilter()
    text = f"one\n{TALK}\r 50%\r100%\n{TALK}two\n"
    assert output_filter.feed(text[:cut]) + output_filter.feed(text[cut:]) + output_filter.flush() == "one\n\r 50%\r100%\ntwo\n"


def test_a_progress_bar_passes_before_its_line_ends() -> None:
    output_filter = OutputFilter()
    assert output_filter.feed("\r 50%") == "\r 50%"
    assert output_filter.feed("\r 60%") == "\r 60%"
    assert output_filter.feed(f"\n{TALK[:10]}") == "\n"
    assert output_filter.feed(TALK[10:]) == ""
