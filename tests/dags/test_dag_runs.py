"""Each DAG, run by Airflow without a server: its results in git, DVC, MLflow and the metadata store."""

import io
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from realframe.services.airflow_home import airflow_home, list_paused_dags
from realframe.settings import Settings
from realframe.store.run_artifacts import RevisionSource
from tests.trained_checkout import SMALL_OVERRIDES, TrainedCheckout

pytestmark = pytest.mark.timeout(900)


def _branch(trained_checkout: TrainedCheckout, dag: str) -> str:
    return trained_checkout.git("branch", "--list", f"runs/{dag}-*", "--format=%(refname:short)").splitlines()[-1]


def test_all_three_dags_succeed(trained_checkout: TrainedCheckout) -> None:
    assert [line for line in trained_checkout.log.splitlines() if line.endswith(": success")] == [
        "prepare_data: success",
        "train_model: success",
        "review_model: success",
    ]


def test_prepare_data_tags_a_dataset_on_its_own_branch(trained_checkout: TrainedCheckout) -> None:
    assert trained_checkout.git("tag", "--list", "dataset/*") == "dataset/v1"
    assert trained_checkout.git("rev-parse", "dataset/v1^{commit}") == trained_checkout.git(
        "rev-parse", _branch(trained_checkout, "prepare_data")
    )
    assert trained_checkout.git("status", "--porcelain") == ""
    assert trained_checkout.git("log", "--format=%s", "main") == "as it stands"
    committed = yaml.safe_load(trained_checkout.git("show", "dataset/v1:params.yaml"))
    assert committed["overrides"]["clean.size"] == 64
    assert not trained_checkout.git("worktree", "list").splitlines()[1:]


def test_prepare_data_pushes_its_data(trained_checkout: TrainedCheckout) -> None:
    remote = trained_checkout.root / ".realframe" / "remote"
    digest = yaml.safe_load(trained_checkout.git("show", "dataset/v1:data/raw.dvc"))["outs"][0]["md5"]
    assert (remote / "files" / "md5" / digest[:2] / digest[2:]).exists()


def test_broken_files_are_in_quarantine_with_a_reason(trained_checkout: TrainedCheckout) -> None:
    table = RevisionSource(trained_checkout.root, "dataset/v1").read(Path("data/quarantine/catalog.parquet"))
    records = pd.read_parquet(io.BytesIO(table or b"")).to_dict("records")
    rows = {row["path"].rsplit("/")[-1]: row for row in records}
    assert {name: row["code"] for name, row in rows.items()} == {"stub.jpg": "media.decoder-crash", "endless.mp4": "media.undecodable"}
    assert not list((trained_checkout.root / "data" / "raw").rglob("page.mp4"))  # it is no media, and was not copied from the inbox
    assert all(row["message"] for row in rows.values())


def test_train_model_logs_every_epoch_and_registers_its_commit(trained_checkout: TrainedCheckout) -> None:
    branch = _branch(trained_checkout, "train_model")
    training = json.loads(trained_checkout.git("show", f"{branch}:models/training.json"))
    with sqlite3.connect(trained_checkout.root / ".realframe" / "mlflow.db") as database:
        steps = database.execute("select count(*) from metrics where run_uuid = ? and key = 'val_loss'", [training["run_id"]]).fetchone()
        tags = dict(database.execute("select key, value from model_version_tags").fetchall())
        aliases = database.execute("select alias, version from registered_model_aliases").fetchall()
    assert steps == (2,)
    assert tags["realframe.commit"] == trained_checkout.git("rev-parse", branch)
    assert (
        tags["realframe.dataset"]
        == training["dataset"]
        == trained_checkout.git("tag", "--list", "--format=%(contents:subject)", "dataset/v1")
    )
    assert aliases == [("champion", 1)]


def test_review_model_records_who_approved(trained_checkout: TrainedCheckout) -> None:
    assert "demo" in trained_checkout.run_module("realframe", "registry", "list")
    trained_checkout.run_module("realframe", "registry", "verify")


def test_the_daily_run_after_a_manual_run_with_another_recipe_is_skipped(trained_checkout: TrainedCheckout) -> None:
    scheduled = """
from types import SimpleNamespace
from airflow.sdk.exceptions import AirflowSkipException
from dags.prepare_data import open_run
try:
    open_run.function(params={"recipe": None, "overrides": {}}, dag_run=SimpleNamespace(run_type="scheduled"), run_id="scheduled")
except AirflowSkipException as skipped:
    print("SKIPPED", skipped)
"""
    command = [sys.executable, "-c", scheduled]
    done = subprocess.run(command, cwd=trained_checkout.root, env=trained_checkout.env, capture_output=True, text=True, check=True)
    assert "SKIPPED the newest dataset version was made of the same media" in done.stdout
    assert not trained_checkout.git("worktree", "list").splitlines()[1:]


def test_paused_dags_are_listed(trained_checkout: TrainedCheckout, tmp_path: Path) -> None:
    settings = Settings(root=trained_checkout.root, home=tmp_path)
    assert list_paused_dags(settings) == []
    database = airflow_home(settings) / "airflow.db"
    database.parent.mkdir()
    shutil.copy(trained_checkout.root / ".realframe" / "airflow" / "airflow.db", database)
    assert list_paused_dags(settings) == []
    with sqlite3.connect(database) as connection:
        connection.execute("update dag set is_paused = 1 where dag_id = 'train_model'")
    assert list_paused_dags(settings) == ["train_model"]


def test_unchanged_inputs_give_no_new_versions(trained_checkout: TrainedCheckout) -> None:
    conf = json.dumps({"recipe": "scratch", "overrides": SMALL_OVERRIDES})
    printed = trained_checkout.run_module("realframe.services.headless_dags", "prepare_data", "train_model", "review_model", "--conf", conf)
    assert printed.count(": success") == 3
    assert trained_checkout.git("tag", "--list", "dataset/*") == "dataset/v1"
    assert len(trained_checkout.asset_events("dataset")) == len(trained_checkout.asset_events("candidate")) == 1  # of the first run
    with sqlite3.connect(trained_checkout.root / ".realframe" / "mlflow.db") as database:
        assert database.execute("select count(*) from model_versions").fetchone() == (1,)
    assert "cached, outputs restored" in printed or "unchanged (" in printed
    assert "> python -m pipelines." not in printed
