"""What a reviewer is shown, and the commands, which do as the DAG does."""

import getpass
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from realframe.cli.data_commands import metadata_app as metadata
from realframe.cli.registry_commands import registry_app as commands
from realframe.errors import AccountError, LedgerError, RegistryError
from realframe.governance import ledger, review_summary
from realframe.governance.review_summary import markdown
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store import accounts
from realframe.store.index_sync import sync_models
from realframe.store.repository import Store
from tests import run_folder
from tests.governance.asked import WHY, approve
from tests.own_state import COMMIT, TRAINER

pytestmark = pytest.mark.usefixtures("three_versions")
PASSWORD = "correct horse battery"


def call(*arguments: str, status: int = 0) -> str:
    answer = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert answer.exit_code == status, answer.output
    return answer.stdout


def test_the_challenger_stands_alone_where_there_is_no_champion(store: Store) -> None:
    shown = review_summary.gather(3, store)
    assert shown.heads == ("", "version 3 (challenger)")
    assert shown.title == "Version 3 with no other champion beside it"
    assert ("ROC-AUC, per item", model_registry.shown(model_registry.get(3).figures["item"]["roc_auc"])) in shown.figures


def test_the_challenger_stands_beside_the_champion_with_intervals(store: Store) -> None:
    approve(1, "Ada", "")
    table = markdown(review_summary.gather(3, store))
    assert "|  | version 3 (challenger) | version 1 (champion) |" in table
    assert f"| {model_registry.shown(model_registry.get(1).figures['item']['f1'])} |" in table
    assert model_registry.shown({"value": 0.9, "low": 0.8, "high": 1.0}) == "0.900 (0.800 to 1.000)"
    assert "| ROC-AUC on unseen generators |" in table
    assert f"| trained by | {TRAINER} | {TRAINER} |" in table


def test_the_page_names_the_rules_and_the_worst_mistakes_and_the_uses_of_the_split(store: Store) -> None:
    approve(1, "Ada", "")
    shown = review_summary.gather(3, store)
    assert {"better than chance", "no slice below", "robust", "shortcut audit"} <= {rule.name for rule in shown.gate.rules}
    assert shown.mistakes and all(mistake.path.startswith("clips/") for mistake in shown.mistakes)
    threshold = model_registry.get(3).threshold
    wrongness = [abs(mistake.score - threshold) for mistake in shown.mistakes]
    assert wrongness == sorted(wrongness, reverse=True)
    assert all((mistake.score >= threshold) != (mistake.label == "fake") for mistake in shown.mistakes)
    assert (shown.uses.decisions, shown.uses.versions) == (1, 3)
    assert str(shown.uses) in markdown(shown)


def test_what_a_reviewer_must_not_overlook_is_said(store: Store) -> None:
    approve(1, "Ada", "")
    client = MlflowClient()
    for name, value in {"below_baseline": "true", "test_split": "f" * 12, "shortcuts": "allowed"}.items():
        client.set_model_version_tag(model_registry.NAME, "3", f"realframe.{name}", value)
    shown = review_summary.gather(3, store)
    warnings = " ".join(shown.warnings)
    assert "worse than its baseline" in warnings
    assert "different items" in warnings
    assert "file facts alone" in warnings
    assert "worse than its baseline" in markdown(shown)
    assert review_summary.gather(2, store).warnings == []


def test_a_parameter_that_differs_is_shown(store: Store, tmp_path: Path) -> None:
    approve(3, "Ada", "")
    folder = tmp_path / "run"
    run_folder.write_training(folder, run_folder.write_data(folder, 90))
    resolved = folder / "build" / "params.yaml"
    resolved.write_text(resolved.read_text().replace("seed: 42", "seed: 43"))
    run_folder.write_model(folder, bias=0.9)
    version = model_registry.register_folder(folder, commit=COMMIT)
    assert ("seed", "43", "42") in review_summary.gather(version, store).changes


def test_the_commands_do_as_the_dag_does(store: Store) -> None:
    login = getpass.getuser()
    assert "version 3" in call("show").lower()
    first = call("approve", "1", "-m", "first", "--override", WHY)
    assert first.startswith(f"approve: version 1 by {login} (ledger entry 1)\n") and WHY in first
    assert "approve: version 3 by" in call("approve", "challenger", "--override", WHY)
    assert f"version 1 by {login} (ledger entry 3)" in call("rollback", "-m", "false alarms")
    assert "reject: version 2 by" in call("reject", "2")
    assert "changes: version 3 by" in call("changes", "3", "-m", "more compressed clips")
    assert call("verify") == "the ledger is whole: 5 entries\n"
    assert "version 1 (champion)" in call("show", "champion")
    assert "1 champion" in (listed := call("list")) and f"reject {login}" in listed
    chain = ledger.entries(store)
    assert [entry.comment for entry in chain] == ["first", "", "false alarms", "", "more compressed clips"]
    assert {(entry.via, entry.authenticated) for entry in chain} == {("cli", "os")}


def test_the_gate_says_each_rule_and_ends_with_status_1_where_one_is_not_met() -> None:
    said = call("gate", "3", status=1)
    assert "not met  better than chance: test.item.roc_auc.low is" in said
    assert "met      shortcut audit: the audit passed (needed: passed)" in said
    with pytest.raises(RegistryError, match=r"version 3: does not meet \d+ of \d+ rules: .*better than chance"):
        call("approve", "3")


def test_a_ledger_entry_that_was_edited_fails_verify(store: Store, settings: Settings) -> None:
    from pymongo import MongoClient

    approve(1, "Ada", "better")
    approve(2, "Ada", "better still")
    call("verify")
    with MongoClient(settings.mongodb_uri) as client:
        client[settings.mongodb_database].ledger.update_one({"sequence": 1}, {"$set": {"overrides": []}})
    answer = CliRunner().invoke(commands, ["verify"])
    assert answer.exit_code == 1
    assert isinstance(answer.exception, LedgerError) and "ledger entry 1: was changed" in str(answer.exception)


def test_an_alias_set_by_hand_is_shown_as_ungated_by_every_command(store: Store) -> None:
    approve(1, "Ada", "")
    model_registry.set_alias("champion", 2)
    assert "UNGATED" in call("list")
    assert "UNGATED: version 2 serves past the review." in CliRunner().invoke(commands, ["gate", "3"]).stderr
    assert "UNGATED: version 2 serves past the review." in markdown(review_summary.gather(3, store))
    assert [entry.action for entry in ledger.entries(store)] == ["approve", "ungated"]


def test_another_name_than_the_login_needs_its_password(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts.add(store, "ada", "reviewer", PASSWORD)
    accounts.add(store, "eve", "analyst", PASSWORD)
    monkeypatch.setenv("REALFRAME_REVIEWER", "ada")
    monkeypatch.setenv("REALFRAME_PASSWORD", "a wrong password")
    with pytest.raises(AccountError, match="ada: the name or the password is not right"):
        call("reject", "2")
    monkeypatch.setenv("REALFRAME_PASSWORD", PASSWORD)
    assert "reject: version 2 by ada" in call("reject", "2")
    with pytest.raises(AccountError, match="eve: is analyst, who may look but not decide"):
        call("reject", "2", "--reviewer", "eve")
    with pytest.raises(AccountError, match="mallory: the name or the password is not right"):
        call("reject", "2", "--reviewer", "mallory")
    assert [(entry.reviewer, entry.authenticated) for entry in ledger.entries(store)] == [("ada", "password")]


def test_the_login_name_is_the_reviewer_of_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert "by grace" in call("reject", "2")


def test_a_ledger_cut_short_is_told_by_verify(store: Store) -> None:
    approve(1, "Ada", "")
    last = approve(2, "Ada", "")
    store.delete(type(last), [last.key])
    with pytest.raises(LedgerError, match="ledger entry 2: is noted"):
        call("verify")


def test_an_alias_that_nothing_has_is_told() -> None:
    with pytest.raises(RegistryError, match="champion: no version of the detector has been approved yet"):
        call("show", "champion")


def test_a_model_trained_by_hand_is_registered_with_the_login_as_its_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "by hand"
    run_folder.write_training(folder, run_folder.write_data(folder, 42))
    run_folder.write_model(folder, bias=0.7)
    monkeypatch.chdir(folder)
    assert call("register") == "version 4. Next: realframe registry show 4\n"
    assert model_registry.get(4).trainer == getpass.getuser()


def test_the_index_counts_the_registry(store: Store, settings: Settings) -> None:
    sync_models(store, model_registry.versions())
    answer = CliRunner().invoke(metadata, ["status"])
    assert "models 3" in answer.output and str(settings.mongodb_uri) in answer.output
