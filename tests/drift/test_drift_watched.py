"""The champion watched from end to end: by the command, and by the DAG that Airflow itself runs."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from drifting import planted
from typer.testing import CliRunner

from realframe.cli import app
from realframe.drift import drift_rules
from realframe.errors import RegistryError
from realframe.services.airflow_home import environment
from realframe.settings import Settings
from realframe.store.repository import Store
from realframe.store.user_documents import DriftWindow


@pytest.fixture(autouse=True)
def ruled(settings: Settings, root: Path) -> None:
    (settings.root / drift_rules.FILE).parent.mkdir(exist_ok=True)
    shutil.copyfile(root / drift_rules.FILE, settings.root / drift_rules.FILE)


def test_the_command_shows_the_windows_and_its_status_says_drift(champion: int, store: Store) -> None:
    store.upsert(planted(110, model=champion))
    calm = CliRunner().invoke(app, ["drift"], env={"COLUMNS": "160"})
    assert calm.exit_code == 0, calm.output
    assert "no drift: 0 of the last 2 windows drift; 3 of 5 make a drift" in calm.stdout
    assert "10 files wait" in calm.stdout and "03-01 08:10" in calm.stdout
    store.upsert(planted(140, first=110, shift=0.35, model=champion))
    done = CliRunner().invoke(app, ["drift"], env={"COLUMNS": "160"})
    assert done.exit_code == 1 and "drift: 3 of the last 5 windows drift" in done.stdout and "█" in done.stdout
    windows = json.loads(CliRunner().invoke(app, ["drift", "--json"]).stdout)
    assert [window["drifting"] for window in windows] == [False, False, True, True, True]
    assert [window["items"] for window in windows] == [50] * 5


def test_without_a_champion_there_is_nothing_to_watch(empty_registry: Path) -> None:
    assert isinstance(CliRunner().invoke(app, ["drift"]).exception, RegistryError)


def _watch(settings: Settings, root: Path, times: int = 1) -> list[dict[str, object]]:
    """Run the DAG so many times; return what the asset's events carry. Airflow reads all DAGs, and some of them these files."""
    shutil.copyfile(root / "dvc.yaml", settings.root / "dvc.yaml")
    shutil.copytree(root / "recipes", settings.root / "recipes", dirs_exist_ok=True)
    env = {**os.environ, **environment(settings), "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"), "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "realframe.services.headless_dags", *["watch_drift"] * times]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.count("watch_drift: success") == times, done.stdout + done.stderr
    with sqlite3.connect(settings.state / "airflow" / "airflow.db") as database:
        rows = database.execute("select e.extra from asset_event e join asset a on a.id = e.asset_id where a.name = 'drift'").fetchall()
    return [json.loads(extra) for (extra,) in rows]


@pytest.mark.timeout(300)
def test_the_dag_raises_the_asset_once_and_only_where_it_drifts(champion: int, store: Store, settings: Settings, root: Path) -> None:
    store.upsert(planted(150, model=champion))
    assert _watch(settings, root) == []
    store.upsert(planted(150, first=150, shift=0.35, moved=0.5, model=champion))
    told = {"version": champion, "windows": [f"{champion}-n50-{number}" for number in (4, 5, 6)]}
    assert _watch(settings, root, times=2) == [told]
    assert [window.window_id for window in store.find(DriftWindow) if window.raised] == [f"{champion}-n50-6"]
