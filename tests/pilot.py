"""A checkout of the repository as it stands, and what tests ask of one in which the DAGs have run."""

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from realframe.services.airflow_home import environment
from realframe.settings import Settings

ROOT = Path(__file__).resolve().parents[1]

# the real configuration, shrunk
SHRUNK = {
    "clean.size": 64,
    "train.phase1.epochs": 2,
    "evaluate.bootstrap": 100,
    "evaluate.robustness_items": 3,
    "evaluate.robustness_frames": 2,
}

# for a second training: unseen generators and degraded files are measured in the pilot's own
BARE = {**SHRUNK, "evaluate.leave_one_generator_out": False, "evaluate.robustness_items": 0}


def copy_checkout(target: Path) -> Path:
    """Copy what git knows of the working tree, edits and new files included, into a repository of its own."""
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
class Pilot:
    """A checkout in which the three DAGs have run, raw media to champion."""

    root: Path
    env: dict[str, str]
    unseen: Path
    log: str

    def copy(self, root: Path) -> "Pilot":
        """Copy the checkout with all its state: what is tried there leaves this one's registry as it is."""
        shutil.copytree(self.root, root, symlinks=True, ignore=shutil.ignore_patterns("airflow", "config.local"))
        return replace(self, root=root, env={**self.env, **environment(Settings(root=root, home=root / ".realframe"))}, log="")

    def call(self, *command: str, status: int = 0) -> str:
        """Run a module of Python in the checkout and return what it printed."""
        done = subprocess.run([sys.executable, "-m", *command], cwd=self.root, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def events(self, asset: str) -> list[dict[str, object]]:
        """Return what the events of an Airflow asset carry, the oldest first."""
        query = "select e.extra from asset_event e join asset a on a.id = e.asset_id where a.name = ? order by e.id"
        with sqlite3.connect(self.root / ".realframe" / "airflow" / "airflow.db") as database:
            return [json.loads(extra) for (extra,) in database.execute(query, [asset])]

    def git(self, *command: str) -> str:
        return subprocess.run(["git", *command], cwd=self.root, capture_output=True, text=True, check=True).stdout.strip()
