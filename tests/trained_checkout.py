"""A copy of the working tree as a repository of its own, and one in which the DAGs have run from raw media to a champion."""

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings

ROOT = Path(__file__).resolve().parents[1]

# the real configuration, with small frames and few epochs
SMALL_OVERRIDES = {
    "clean.size": 64,
    "train.phase1.epochs": 2,
    "evaluate.bootstrap": 100,
    "evaluate.robustness_items": 3,
    "evaluate.robustness_frames": 2,
}

# for a second training: the first one measures unseen generators and perturbed files
FAST_OVERRIDES = {**SMALL_OVERRIDES, "evaluate.leave_one_generator_out": False, "evaluate.source_folds": 0, "evaluate.robustness_items": 0}


def copy_checkout(target: Path) -> Path:
    """Copy the tracked and new files of the working tree, with their edits, into a repository of its own."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "as it stands"]):
        subprocess.run(["git", *command], cwd=target, check=True)
    return target


@dataclass(frozen=True)
class TrainedCheckout:
    """A checkout in which the three DAGs have run, from raw media to champion.

    Attributes:
        root: its folder.
        env: environment variables for its processes.
        unseen: folder of clips that the champion was not trained on.
        log: output of the DAG runs.
    """

    root: Path
    env: dict[str, str]
    unseen: Path
    log: str

    def copy(self, root: Path) -> "TrainedCheckout":
        """Copy the checkout with its state, except that of Airflow, for a test that changes the registry."""
        shutil.copytree(self.root, root, symlinks=True, ignore=shutil.ignore_patterns("config.local", "*.sock", "airflow"))
        return replace(self, root=root, env={**self.env, **airflow_environment(Settings(root=root, home=root / ".realframe"))}, log="")

    def run_module(self, *command: str, status: int = 0) -> str:
        """Run a Python module in the checkout and return its output."""
        process = subprocess.run([sys.executable, "-m", *command], cwd=self.root, env=self.env, capture_output=True, text=True, check=False)
        assert process.returncode == status, process.stdout + process.stderr
        return process.stdout

    def asset_events(self, asset: str) -> list[dict[str, object]]:
        """Return the extra data of the events of an Airflow asset, the oldest first."""
        query = "select e.extra from asset_event e join asset a on a.id = e.asset_id where a.name = ? order by e.id"
        with sqlite3.connect(self.root / ".realframe" / "airflow" / "airflow.db") as database:
            return [json.loads(extra) for (extra,) in database.execute(query, [asset])]

    def git(self, *command: str) -> str:
        """Run git in the checkout and return its output."""
        return subprocess.run(["git", *command], cwd=self.root, capture_output=True, text=True, check=True).stdout.strip()
