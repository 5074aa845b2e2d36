"""Run one stage with DVC and print its fate: ``python dvc_stage.py STAGE`` in a worktree.

DVC's own messages are left out, except errors. Whether the command of the stage ran is known from Python's audit event
``subprocess.Popen``, and whether its outputs are new from the stage's entry in ``dvc.lock``. The output of the stage is not touched: it
writes to the same standard output and error as this process.

As a script, this file imports nothing of this package: the worktree may hold the code of another commit.
"""

import io
import logging
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import dvc.cli  # its import configures DVC's loggers
from ruamel.yaml import YAML, YAMLError

_LOGGERS = ("dvc", "dvc_data", "dvc_objects")
_STAGE_VARIABLE = "DVC_STAGE"  # DVC sets it for the command of a stage
_LOCK_FILE = Path("dvc.lock")


def run_stage(stage: str) -> int:
    """Run ``stage`` if its inputs changed; otherwise take its outputs from the cache or the remote. Return DVC's exit status.

    The digest of its code is written first, because it is the output of a stage that may have run on another machine or before an edit, and
    with ``--allow-missing`` DVC takes a missing file for an unchanged one.
    """
    if status := subprocess.run([sys.executable, "-m", "pipelines.digest_code", stage], check=False).returncode:  # noqa: S603
        return status
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    start, terminal, commands = time.monotonic(), sys.stdout, []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen" and isinstance(arguments[3], Mapping) and arguments[3].get(_STAGE_VARIABLE) == stage:
            commands.append(arguments[1])
            print(f"stage {stage}: running", file=terminal, flush=True)

    sys.addaudithook(watch)
    before = _read_lock_entry(stage)
    with redirect_stdout(io.StringIO()):  # DVC prints hints there; the stage writes to the file descriptor itself
        status = int(dvc.cli.main(["repro", "--single-item", "--pull", "--allow-missing", stage]))
    fate = _describe_fate(status, has_run=bool(commands), has_changed=_read_lock_entry(stage) != before)
    print(f"stage {stage}: {fate} ({time.monotonic() - start:.1f} s)", file=terminal, flush=True)
    return status


def _describe_fate(status: int, *, has_run: bool, has_changed: bool) -> str:
    if status:
        return "failed" if has_run else "could not be run"
    if has_run:
        return "done"
    return "cached, outputs restored" if has_changed else "unchanged"


def _read_lock_entry(stage: str) -> Any:
    """Return what dvc.lock records of the stage; None if nothing."""
    if not _LOCK_FILE.exists():
        return None
    try:
        return YAML(typ="safe").load(_LOCK_FILE)["stages"].get(stage)
    except (YAMLError, KeyError, TypeError, AttributeError):  # DVC says what is wrong with it
        return None


if __name__ == "__main__":
    sys.exit(run_stage(sys.argv[1]))
