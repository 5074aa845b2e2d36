"""Each DAG, run headless by Airflow itself in one checkout: what it leaves behind in git, DVC, MLflow and the metadata store."""

import io
import json
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
import yaml

from realframe.store.run_artifacts import RevisionSource
from tests.pilot import SHRUNK, Pilot

pytestmark = pytest.mark.timeout(900)


def _branch(pilot: Pilot, dag: str) -> str:
    return pilot.git("branch", "--list", f"runs/{dag}-*", "--format=%(refname:short)").splitlines()[-1]


def test_all_three_ended_well(pilot: Pilot) -> None:
    assert [line for line in pilot.log.splitlines() if line.endswith(": success")] == [
        "prepare_data: success",
        "train_model: success",
        "review_model: success",
    ]


def test_prepare_data_leaves_a_tagged_dataset_on_a_branch_of_its_own(pilot: Pilot) -> None:
    assert pilot.git("tag", "--list", "dataset/*") == "dataset/v1"
    assert pilot.git("rev-parse", "dataset/v1^{commit}") == pilot.git("rev-parse", _branch(pilot, "prepare_data"))
    assert pilot.git("status", "--porcelain") == ""
    assert pilot.git("log", "--format=%s", "main") == "as it stands"
    committed = yaml.safe_load(pilot.git("show", "dataset/v1:params.yaml"))
    assert committed["overrides"]["clean.size"] == 64
    assert not pilot.git("worktree", "list").splitlines()[1:]


def test_prepare_data_pushed_what_it_made(pilot: Pilot) -> None:
    remote = pilot.root / ".realframe" / "remote"
    digest = yaml.safe_load(pilot.git("show", "dataset/v1:data/raw.dvc"))["outs"][0]["md5"]
    assert (remote / "files" / "md5" / digest[:2] / digest[2:]).exists()


def test_what_arrived_broken_is_in_quarantine_with_its_reason(pilot: Pilot) -> None:
    table = RevisionSource(pilot.root, "dataset/v1").read(Path("data/quarantine/catalog.parquet"))
    said = pd.read_parquet(io.BytesIO(table or b"")).to_dict("records")
    rows = {row["path"].rsplit("/")[-1]: row for row in said}
    assert rows["empty.mp4"]["code"] == "media.empty"
    assert rows["page.mp4"]["code"] == "media.not-media"
    assert all(row["message"] for row in rows.values())


def test_train_model_logged_every_epoch_and_registered_its_commit(pilot: Pilot) -> None:
    branch = _branch(pilot, "train_model")
    training = json.loads(pilot.git("show", f"{branch}:models/training.json"))
    with sqlite3.connect(pilot.root / ".realframe" / "mlflow.db") as database:
        steps = database.execute("select count(*) from metrics where run_uuid = ? and key = 'val_loss'", [training["run_id"]]).fetchone()
        tags = dict(database.execute("select key, value from model_version_tags").fetchall())
        aliases = database.execute("select alias, version from registered_model_aliases").fetchall()
    assert steps == (2,)
    assert tags["realframe.commit"] == pilot.git("rev-parse", branch)
    assert tags["realframe.data"] == training["dataset"] == pilot.git("tag", "--list", "--format=%(contents:subject)", "dataset/v1")
    assert aliases == [("champion", 1)]


def test_review_model_wrote_who_approved(pilot: Pilot) -> None:
    assert "demo" in pilot.call("realframe", "registry", "list")
    pilot.call("realframe", "registry", "verify")


def test_nothing_new_makes_nothing_new(pilot: Pilot) -> None:
    conf = json.dumps({"recipe": "scratch", "overrides": SHRUNK})
    said = pilot.call("realframe.services.headless_dags", "prepare_data", "train_model", "review_model", "--conf", conf)
    assert said.count(": success") == 3
    assert pilot.git("tag", "--list", "dataset/*") == "dataset/v1"
    assert len(pilot.events("dataset")) == len(pilot.events("candidate")) == 1  # of the pilot's own run
    with sqlite3.connect(pilot.root / ".realframe" / "mlflow.db") as database:
        assert database.execute("select count(*) from model_versions").fetchone() == (1,)
    assert "is cached - skipping run" in said or "didn't change, skipping" in said
    assert "> python -m pipelines." not in said
