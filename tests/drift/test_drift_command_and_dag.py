"""Drift of the champion end to end: by the command, and by the DAG in Airflow."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from realframe.cli import app
from realframe.drift import drift_rules
from realframe.errors import RegistryError
from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings
from realframe.store.repository import Store
from realframe.store.user_documents import DriftWindow
from tests.drift.sample_predictions import make_predictions


@pytest.fixture(autouse=True)
def drift_rules_file(settings: Settings, root: Path) -> None:
    (settings.root / drift_rules.FILE).parent.mkdir(exist_ok=True)
    shutil.copyfile(root / drift_rules.FILE, settings.root / drift_rules.FILE)


def test_the_command_shows_the_windows_and_exits_with_1_on_drift(champion: int, store: Store) -> None:
    store.upsert(make_predictions(110, model=champion))
    no_drift = CliRunner().invoke(app, ["drift"], env={"COLUMNS": "160"})
    assert no_drift.exit_code == 0, no_drift.output
    assert "no drift: 0 of the last 2 windows drift; 3 of 5 count as drift" in no_drift.stdout
    assert "10 files are in the next window" in no_drift.stdout and "03-01 08:10" in no_drift.stdout
    store.upsert(make_predictions(140, first=110, shift=0.35, model=champion))
    done = CliRunner().invoke(app, ["drift"], env={"COLUMNS": "160"})
    assert done.exit_code == 1 and "drift: 3 of the last 5 windows drift" in done.stdout and "█" in done.stdout
    assert "Proposed: a new training. To start it" in done.stdout
    windows = json.loads(CliRunner().invoke(app, ["drift", "--json"]).stdout)
    assert [window["is_drifting"] for window in windows] == [False, False, True, True, True]
    assert [window["items"] for window in windows] == [50] * 5


def test_a_missing_champion_is_an_error(empty_registry: Path) -> None:
    assert isinstance(CliRunner().invoke(app, ["drift"]).exception, RegistryError)


def _run_dag(settings: Settings, root: Path, times: int = 1) -> dict[str, list[dict[str, object]]]:
    """Run the DAG ``times`` times; return the content of the assets' events. Airflow reads all DAGs, some of which need these files."""
    shutil.copyfile(root / "dvc.yaml", settings.root / "dvc.yaml")
    shutil.copytree(root / "recipes", settings.root / "recipes", dirs_exist_ok=True)
    env = {**os.environ, **airflow_environment(settings), "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"), "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "realframe.services.headless_dags", *["watch_drift"] * times]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.count("watch_drift: success") == times, done.stdout + done.stderr
    with sqlite3.connect(settings.state_dir / "airflow" / "airflow.db") as database:
        rows = database.execute("select a.name, e.extra from asset_event e join asset a on a.id = e.asset_id").fetchall()
    return {asset: [json.loads(extra) for name, extra in rows if name == asset] for asset in ("drift", "retraining")}


@pytest.mark.end_to_end
@pytest.mark.timeout(300)
def test_the_dag_updates_the_asset_once_and_only_on_drift(champion: int, store: Store, settings: Settings, root: Path) -> None:
    store.upsert(make_predictions(150, model=champion))
    assert _run_dag(settings, root) == {"drift": [], "retraining": []}
    store.upsert(make_predictions(150, first=150, shift=0.35, moved=0.5, model=champion))
    windows = [f"{champion}-n50-{number:08d}" for number in (4, 5, 6)]
    events = _run_dag(settings, root, times=2)
    (event,) = events["drift"]
    assert (event["version"], event["windows"], event["retrain"]) == (champion, windows, "ask")
    assert str(event["next_step"]).startswith("Proposed: a new training") and events["retraining"] == []
    assert [window.window_id for window in store.find(DriftWindow) if window.alarm_raised] == [f"{champion}-n50-00000006"]


@pytest.mark.end_to_end
@pytest.mark.parametrize("policy", ["automatic", "never"])
def test_the_policy_decides_whether_a_drift_starts_a_training(
    policy: str, champion: int, store: Store, settings: Settings, root: Path
) -> None:
    rules = settings.root / drift_rules.FILE
    rules.write_text(rules.read_text().replace("retrain: ask", f"retrain: {policy}"))
    store.upsert(make_predictions(150, shift=0.35, moved=0.5, model=champion))
    events = _run_dag(settings, root)
    assert [event["retrain"] for event in events["drift"]] == [policy]
    assert events["retraining"] == (events["drift"] if policy == "automatic" else [])
