from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from bonafide.cli.lineage import lineage
from bonafide.cli.metadata import app as metadata
from bonafide.cli.registry import app as commands
from bonafide.errors import LedgerError, RegistryError
from bonafide.metadata.store import Store
from bonafide.metadata.sync import sync_models, sync_run
from bonafide.review import evidence, ledger
from bonafide.review.decide import approve
from bonafide.settings import Settings
from bonafide.tracking import registry
from tests import run_folder

pytestmark = pytest.mark.usefixtures("three_versions")


def call(*arguments: str) -> str:
    answer = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_the_challenger_stands_alone_where_there_is_no_champion() -> None:
    shown = evidence.compare(3)
    assert shown.heads == ("test split", "version 3 (challenger)")
    assert shown.title == "Version 3 with no other champion beside it"
    assert ("ROC-AUC, per item", registry.shown(registry.get(3).figures["item"]["roc_auc"])) in shown.rows


def test_the_challenger_stands_beside_the_champion_with_intervals(store: Store) -> None:
    approve(1, "Ada", "")
    table = evidence.markdown(3)
    assert "| test split | version 3 (challenger) | version 1 (champion) |" in table
    assert f"| {registry.shown(registry.get(1).figures['item']['f1'])} |" in table
    assert registry.shown({"value": 0.9, "low": 0.8, "high": 1.0}) == "0.900 (0.800 to 1.000)"
    assert {line.count("|") for line in table.splitlines() if line.startswith("|")} == {4}


def test_what_a_reviewer_must_not_overlook_is_said(store: Store) -> None:
    approve(1, "Ada", "")
    MlflowClient().set_model_version_tag(registry.NAME, "3", "bonafide.below_floor", "true")
    MlflowClient().set_model_version_tag(registry.NAME, "3", "bonafide.dataset", "f" * 12)
    warnings = " ".join(evidence.compare(3).warnings)
    assert "worse than its floor" in warnings
    assert "different datasets" in warnings
    assert "worse than its floor" in evidence.markdown(3)
    assert evidence.compare(2).warnings == []


def test_the_commands_do_as_the_dag_does(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "version 3" in call("show").lower()
    assert call("approve", "1", "--reviewer", "Ada", "-m", "first") == "approve: version 1 by Ada (ledger entry 1)\n"
    monkeypatch.setenv("BONAFIDE_REVIEWER", "Bob")
    assert "approve: version 3 by Bob" in call("approve", "challenger")
    assert "version 1 by Bob (ledger entry 3)" in call("rollback", "-m", "false alarms")
    assert "reject: version 2 by Bob" in call("reject", "2")
    assert call("verify") == "the ledger is whole: 4 entries\n"
    assert "version 1 (champion)" in call("show", "champion")
    assert "1 champion" in (listed := call("list")) and "reject Bob" in listed
    assert [entry.comment for entry in ledger.entries(store)] == ["first", "", "false alarms", ""]


def test_the_login_name_is_the_reviewer_of_last_resort(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert "by grace" in call("approve", "2")


def test_a_ledger_cut_short_is_told_by_verify(store: Store) -> None:
    approve(1, "Ada", "")
    last = approve(2, "Ada", "")
    store.delete(type(last), [last.key])
    with pytest.raises(LedgerError, match="ledger entry 2: is noted"):
        call("verify")


def test_an_alias_that_nothing_has_is_told() -> None:
    with pytest.raises(RegistryError, match="champion: no version of the detector has been approved yet"):
        call("show", "champion")


def test_a_model_trained_by_hand_is_registered_and_found_by_lineage(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "by hand"
    splits = run_folder.write_data(folder, 42)
    run_folder.write_training(folder, splits)
    run_folder.write_model(folder, bias=0.7)
    monkeypatch.chdir(folder)
    assert call("register") == "version 4. Next: bonafide registry show 4\n"
    sync_run(folder, store, commit="c" * 40, branch="main", tag=None)
    lineage(model="4", media=None, json=False)
    told = capsys.readouterr().out
    assert "version 4: recipe efficientnetb0" in told
    assert "trained on 20 media items" in told
    lineage(model=None, media=run_folder.media_id(0)[:12], json=False)
    assert "train of dataset" in (told := capsys.readouterr().out) and "model versions: 4" in told


def test_the_index_counts_the_registry(store: Store, settings: Settings) -> None:
    sync_models(store, registry.versions())
    answer = CliRunner().invoke(metadata, ["status"])
    assert "models 3" in answer.output and str(settings.mongodb_uri) in answer.output
