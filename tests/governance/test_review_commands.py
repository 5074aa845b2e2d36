"""The review summary and the commands of ``realframe registry``."""

import getpass
import html
import json
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from realframe.cli.data_commands import metadata_app as metadata
from realframe.cli.registry_commands import registry_app as commands
from realframe.errors import AccountError, LedgerError, RegistryError
from realframe.governance import gate, ledger, review_summary
from realframe.governance.review_summary import ReviewSummary, summary_markdown
from realframe.governance.version_comparison import ReviewedMistake
from realframe.registry import mlflow_runs, model_registry
from realframe.settings import Settings
from realframe.store import accounts
from realframe.store.index_sync import sync_models
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.auth.sessions import COOKIE
from tests import run_folder
from tests.governance.cli_decisions import OVERRIDE_REASON, approve
from tests.markdown_rendering import ALLOWED, HOSTILE, assert_plain, render
from tests.state_fixtures import COMMIT, TRAINER

pytestmark = pytest.mark.usefixtures("three_versions")
PASSWORD = "correct horse battery"


def run_command(*arguments: str, status: int = 0) -> str:
    answer = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert answer.exit_code == status, answer.output
    return answer.stdout


def summarize(version: int, store: Store) -> ReviewSummary:
    """Check the gate, as the pipeline does, and read the summary."""
    gate.ensure_gate_result(version, store)
    return review_summary.build_review_summary(version, store)


def test_without_a_champion_the_challenger_has_the_only_column(store: Store) -> None:
    summary = summarize(3, store)
    assert summary.column_titles == ("", "version 3 (challenger)")
    assert summary.title == "Version 3 without another champion to compare with"
    assert (
        "ROC-AUC, per item",
        model_registry.format_metric_with_interval(model_registry.get_version(3).figures["item"]["roc_auc"]),
    ) in summary.figures


def test_the_summary_compares_the_challenger_with_the_champion(store: Store) -> None:
    approve(1, "Ada", "")
    table = summary_markdown(summarize(3, store))
    assert "|  | version 3 (challenger) | version 1 (champion) |" in table
    assert f"| {model_registry.format_metric_with_interval(model_registry.get_version(1).figures['item']['f1'])} |" in table
    assert model_registry.format_metric_with_interval({"value": 0.9, "low": 0.8, "high": 1.0}) == "0.900 (0.800 to 1.000)"
    names = [row[0] for row in summarize(3, store).figures]
    ordered = ["ROC-AUC on images from unseen sources", "worst source of images", "ROC-AUC on unseen generators", "ROC-AUC, per item"]
    assert sorted(ordered, key=names.index) == ordered
    assert names[0] == ordered[0]
    assert f"| trained by | {TRAINER} | {TRAINER} |" in table


def test_the_summary_has_rules_worst_mistakes_and_split_usage(store: Store) -> None:
    approve(1, "Ada", "")
    summary = summarize(3, store)
    assert {"better than chance", "no slice below", "robust", "shortcut audit"} <= {rule.name for rule in summary.gate.rules}
    assert summary.mistakes and all(mistake.path.startswith("clips/") for mistake in summary.mistakes)
    threshold = model_registry.get_version(3).threshold
    wrongness = [abs(mistake.score - threshold) for mistake in summary.mistakes]
    assert wrongness == sorted(wrongness, reverse=True)
    assert all((mistake.score >= threshold) != (mistake.label == "fake") for mistake in summary.mistakes)
    assert (summary.split_usage.decisions, summary.split_usage.versions) == (1, 3)
    assert str(summary.split_usage) in summary_markdown(summary)


def test_the_summary_has_warnings(store: Store) -> None:
    mlflow_runs.connect()
    client = MlflowClient()
    client.log_metric(client.get_model_version(model_registry.NAME, "3").run_id, "below_baseline", 1)
    approve(1, "Ada", "")
    for name, value in {"test_split": "f" * 12, "shortcuts": "allowed"}.items():
        client.set_model_version_tag(model_registry.NAME, "3", f"realframe.{name}", value)
    summary = summarize(3, store)
    warnings = " ".join(summary.warnings)
    assert "worse than its baseline" in warnings
    assert "different items" in warnings
    assert "file facts alone" in warnings
    assert "worse than its baseline" in summary_markdown(summary)
    assert summarize(2, store).warnings == []


def test_names_from_outside_are_plain_text_in_the_markdown_for_airflow(store: Store, tmp_path: Path) -> None:
    approve(1, "Ada", "")
    folder = tmp_path / "run"
    splits = run_folder.write_dataset(folder, 90)
    splits["path"] = [f"clips/{HOSTILE[number % len(HOSTILE)]}{number}.mp4" for number in range(len(splits))]
    run_folder.write_training(folder, splits, quality=0.05)
    run_folder.write_model(folder, bias=0.4)
    version = model_registry.register_folder(folder, commit=COMMIT)
    summary = summarize(version, store)
    assert summary.mistakes
    attacked = replace(
        summary,
        title=HOSTILE[0],
        warnings=HOSTILE,
        column_titles=("", *HOSTILE[1:3]),
        changes=[(text, text, text) for text in HOSTILE],
        gate_headline=HOSTILE[4],
        mistakes=(*summary.mistakes, *(ReviewedMistake(text, "fake", 0.1) for text in HOSTILE)),
    )
    for shown_summary in (summary, attacked):
        tokens = render(summary_markdown(shown_summary))
        assert_plain(tokens, ALLOWED | {"heading", "blockquote", "strong", "code_inline"})
        assert len([token for token in tokens if token.type == "table_open"]) == 4
        rows = [token for token in tokens if token.type == "tr_open"]
        counts = [summary.gate.rows if summary.gate else (), shown_summary.figures, shown_summary.changes, shown_summary.mistakes]
        assert len(rows) == sum(len(table) + 1 for table in counts), "no text adds a row"


def test_the_summary_lists_parameters_that_differ(store: Store, tmp_path: Path) -> None:
    approve(3, "Ada", "")
    folder = tmp_path / "run"
    run_folder.write_training(folder, run_folder.write_dataset(folder, 90))
    resolved = folder / "build" / "params.yaml"
    resolved.write_text(resolved.read_text().replace("seed: 42", "seed: 43"))
    run_folder.write_model(folder, bias=0.9)
    version = model_registry.register_folder(folder, commit=COMMIT)
    assert ("seed", "43", "42") in summarize(version, store).changes


def test_each_command_records_its_decision(store: Store) -> None:
    login = getpass.getuser()
    assert "version 3" in run_command("show").lower()
    first = run_command("approve", "1", "-m", "first", "--override", OVERRIDE_REASON)
    assert first.startswith(f"approve: version 1 by {login} (ledger entry 1)\n") and OVERRIDE_REASON in first
    assert "approve: version 3 by" in run_command("approve", "challenger", "--override", OVERRIDE_REASON)
    assert f"version 1 by {login} (ledger entry 3)" in run_command("rollback", "-m", "false alarms")
    assert "reject: version 2 by" in run_command("reject", "2")
    assert "request_changes: version 3 by" in run_command("request-changes", "3", "-m", "more compressed clips")
    assert run_command("verify") == "the ledger is intact: 5 entries\n"
    assert "version 1 (champion)" in run_command("show", "champion")
    assert "1 champion" in (listed := run_command("list")) and f"reject {login}" in listed
    chain = ledger.list_entries(store)
    assert [entry.comment for entry in chain] == ["first", "", "false alarms", "", "more compressed clips"]
    assert {(entry.channel, entry.authentication) for entry in chain} == {("cli", "os")}


def test_the_gate_command_prints_the_table_of_the_page_and_exits_with_1_if_a_rule_is_not_met(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "600")  # no cell is wrapped
    output = run_command("gate", "3", status=1)
    accounts.add_account(store, "ada", "reviewer", PASSWORD)
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        client.cookies.set(COOKIE, accounts.start_session(store, accounts.get_account(store, "ada")), domain="127.0.0.1")
        page = html.unescape(client.get("/versions/3").text)
    result = gate.ensure_gate_result(3, store)
    for text in (result.headline, *(cell for row in result.rows for cell in row)):
        assert text in output and text in page
    assert "better than chance" in output and "not met" in output and "the audit passed" in output
    with pytest.raises(RegistryError, match=r"version 3: does not meet \d+ of \d+ rules: .*better than chance"):
        run_command("approve", "3")


def test_the_gate_command_prints_json_and_computes_again_only_when_asked() -> None:
    first = json.loads(run_command("gate", "3", "--json", status=1))
    assert (first["version"], first["champion"]) == (3, None)
    assert {"name", "is_met", "observed", "required"} == set(first["rules"][0])
    assert json.loads(run_command("gate", "3", "--json", status=1)) == first
    second = json.loads(run_command("gate", "3", "--json", "--recompute", status=1))
    assert second["created"] > first["created"] and second["rules"] == first["rules"]


def test_a_ledger_entry_that_was_edited_fails_verify(store: Store, settings: Settings) -> None:
    from pymongo import MongoClient

    approve(1, "Ada", "better")
    approve(2, "Ada", "better still")
    run_command("verify")
    with MongoClient(settings.mongodb_uri) as client:
        client[settings.mongodb_database].ledger.update_one({"sequence": 1}, {"$set": {"overrides": []}})
    answer = CliRunner().invoke(commands, ["verify"])
    assert answer.exit_code == 1
    assert isinstance(answer.exception, LedgerError) and "ledger entry 1: was changed" in str(answer.exception)


def test_every_command_reports_an_alias_set_without_a_review(store: Store) -> None:
    approve(1, "Ada", "")
    model_registry.set_alias("champion", 2)
    assert "unreviewed" in run_command("list")
    assert "Version 2 is the champion without a review" in CliRunner().invoke(commands, ["gate", "3"]).stderr
    assert "Version 2 is the champion without a review" in summary_markdown(summarize(3, store))
    assert [entry.action for entry in ledger.list_entries(store)] == ["approve", "alias_set"]


def test_another_name_than_the_login_needs_its_password(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts.add_account(store, "ada", "reviewer", PASSWORD)
    accounts.add_account(store, "eve", "analyst", PASSWORD)
    monkeypatch.setenv("REALFRAME_REVIEWER", "ada")
    monkeypatch.setenv("REALFRAME_PASSWORD", "a wrong password")
    with pytest.raises(AccountError, match="ada: the name or the password is not correct"):
        run_command("reject", "2")
    monkeypatch.setenv("REALFRAME_PASSWORD", PASSWORD)
    assert "reject: version 2 by ada" in run_command("reject", "2")
    with pytest.raises(AccountError, match="eve: has the role analyst, which cannot decide"):
        run_command("reject", "2", "--reviewer", "eve")
    with pytest.raises(AccountError, match="mallory: the name or the password is not correct"):
        run_command("reject", "2", "--reviewer", "mallory")
    assert [(entry.reviewer, entry.authentication) for entry in ledger.list_entries(store)] == [("ada", "password")]


def test_the_login_name_is_the_default_reviewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert "by grace" in run_command("reject", "2")


def test_verify_detects_a_ledger_that_was_cut_short(store: Store) -> None:
    approve(1, "Ada", "")
    last = approve(2, "Ada", "")
    store.delete(type(last), [last.key])
    with pytest.raises(LedgerError, match="version 2: the decision that is noted on it in MLflow, ledger entry 2, is not in the ledger"):
        run_command("verify")


def test_an_unused_alias_is_an_error() -> None:
    with pytest.raises(RegistryError, match="champion: no version of the detector has been approved yet"):
        run_command("show", "champion")


def test_a_model_trained_by_hand_is_registered_with_the_login_as_its_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "by hand"
    run_folder.write_training(folder, run_folder.write_dataset(folder, 42))
    run_folder.write_model(folder, bias=0.7)
    monkeypatch.chdir(folder)
    registered, checked = run_command("register").splitlines()
    assert registered == "version 4. Next: realframe registry show 4"
    assert checked.startswith("gate of version 4: ")
    assert model_registry.get_version(4).trainer == getpass.getuser()


def test_the_index_counts_the_registry(store: Store, settings: Settings) -> None:
    sync_models(store, model_registry.list_versions())
    answer = CliRunner().invoke(metadata, ["status"])
    assert "models 3" in answer.output and str(settings.mongodb_uri) in answer.output
