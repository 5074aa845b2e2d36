"""What git and MLflow know of a decision and the ledger lacks is an alarm, which stays until a person settles it."""

import json
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from typer.testing import CliRunner

from realframe.cli.registry_commands import registry_app
from realframe.errors import LedgerError
from realframe.governance import decisions, ledger, ledger_audit, reconcile, review_summary
from realframe.registry import model_registry
from realframe.runs import ledger_anchor, run_versions
from realframe.settings import Settings, get_settings
from realframe.store.repository import Store
from realframe.store.user_documents import LedgerEntry
from tests.governance.cli_decisions import approve, reject

pytestmark = pytest.mark.usefixtures("three_versions")


def git(folder: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout as a git repository with one commit, of a user who has set no name."""
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / ".gitignore").write_text("state/\nremote.git/\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "--quiet", "-m", "start")
    return tmp_path


@pytest.fixture
def remote(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git remote to which runs are pushed."""
    folder = repository / "remote.git"
    git(repository, "init", "--quiet", "--bare", str(folder))
    monkeypatch.setenv("REALFRAME_GIT_REMOTE", str(folder))
    get_settings.cache_clear()
    return folder


@pytest.fixture
def collection(settings: Settings) -> Any:
    with MongoClient(settings.mongodb_uri) as client:
        yield client[settings.mongodb_database].ledger


def run_command(*arguments: str) -> str:
    answer = CliRunner().invoke(registry_app, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def rewrite(collection: Collection, sequence: int, **changes: Any) -> None:
    """Change an entry and recompute all hashes from it on, and write the new ids to MLflow, as a program with access to both can."""
    rows, previous, renamed = sorted(collection.find(), key=lambda row: row["sequence"]), "", {}
    for row in rows:
        facts = {name: value for name, value in row.items() if name not in ("_id", "hash")} | {"previous_hash": previous}
        facts |= changes if row["sequence"] == sequence else {}
        previous = ledger.hash_entry(facts)
        renamed[f"{row['sequence']} {row['hash']}"] = f"{row['sequence']} {previous}"
        collection.delete_one({"_id": row["_id"]})
        collection.insert_one({"_id": previous, "hash": previous, **facts})
    for version in model_registry.list_versions():
        if version.decision:
            model_registry.set_decision(version.version, renamed[version.decision])


def delete_newest(collection: Collection) -> None:
    collection.delete_one({"sequence": collection.count_documents({})})


def rewrite_first(collection: Collection) -> None:
    rewrite(collection, 1, reviewer="Mallory", comment="I approved it")


def rewrite_store_only(collection: Collection) -> None:
    """Rewrite an entry with recomputed hashes; the ids that are noted in MLflow stay."""
    notes = {version.version: version.decision for version in model_registry.list_versions()}
    rewrite_first(collection)
    for number, note in notes.items():
        model_registry.set_decision(number, note)


def delete_all(collection: Collection) -> None:
    collection.delete_many({})
    for version in model_registry.list_versions():
        model_registry.set_decision(version.version, "")


def use_every_reader(store: Store) -> list[str]:
    """Do what commands, pages, the drift DAG and idle workers do; return the warnings that people see."""
    reconcile.detect_manual_changes(store)
    listed = CliRunner().invoke(registry_app, ["list"]).stderr
    shown = review_summary.build_review_summary(3, store).warnings
    assert all(
        "The ledger is contradicted" in text for text in (listed, " ".join(shown), " ".join(review_summary.list_ledger_warnings(store)))
    )
    return shown


def test_each_decision_is_anchored_in_git_and_nothing_else_changes(repository: Path, store: Store) -> None:
    status, head, refs = (git(repository, *command) for command in (["status", "--porcelain"], ["rev-parse", "HEAD"], ["branch", "-a"]))
    chain = [approve(1, "Ada", "fine"), reject(3, "Bob", "no")]
    commits = git(repository, "log", "--format=%H %s", "--reverse", ledger_anchor.REF).splitlines()
    assert [line.partition(" ")[2] for line in commits] == [f"ledger {ledger.format_entry_id(entry)}" for entry in chain]
    for line, entry in zip(commits, chain, strict=True):
        stored = json.loads(git(repository, "show", f"{line.partition(' ')[0]}:entry.json"))
        assert LedgerEntry.model_validate(stored) == entry
    assert (status, head, refs) == tuple(
        git(repository, *command) for command in (["status", "--porcelain"], ["rev-parse", "HEAD"], ["branch", "-a"])
    )
    audit = ledger_audit.audit_ledger(store)
    assert (audit.open_alarms, audit.remarks, audit.unanchored) == ([], [], [])
    assert run_command("verify") == "the ledger is intact: 2 entries\n"


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (rewrite_first, "ledger entry 1: is anchored in git, and was replaced"),
        (delete_newest, "ledger entry 2: is anchored in git, and was removed"),
        (delete_all, "ledger entry 1: is anchored in git, and was removed"),
        (rewrite_store_only, "ledger entry 1: is anchored in git, and was replaced"),
    ],
)
def test_a_store_that_was_rewritten_fails_verify_whatever_is_run_in_between(
    tamper: Callable[[Collection], None], message: str, repository: Path, store: Store, collection: Collection
) -> None:
    approve(1, "Ada", "fine")
    approve(3, "Ada", "better")
    tamper(collection)
    before = [(version.version, version.aliases, version.decision) for version in model_registry.list_versions()]
    for _ in range(2):
        with pytest.raises(LedgerError, match=message):
            run_command("verify")
        use_every_reader(store)
    assert before == [(version.version, version.aliases, version.decision) for version in model_registry.list_versions()]


@pytest.mark.parametrize("tamper", [rewrite_store_only, delete_newest])
def test_without_git_the_decision_noted_in_mlflow_is_not_washed_out(
    tamper: Callable[[Collection], None], store: Store, collection: Collection
) -> None:
    approve(1, "Ada", "fine")
    approve(3, "Ada", "better")
    tamper(collection)
    for _ in range(2):
        with pytest.raises(
            LedgerError, match=r"version \d: the decision that is noted on it in MLflow, ledger entry \d, is not in the ledger"
        ):
            run_command("verify")
        use_every_reader(store)
    assert model_registry.find_champion() == model_registry.get_version(3)
    assert len(ledger.list_entries(store)) == collection.count_documents({})


def test_no_decision_is_recorded_on_a_ledger_that_was_changed(repository: Path, store: Store, collection: Collection) -> None:
    approve(1, "Ada", "fine")
    rewrite_first(collection)
    with pytest.raises(LedgerError, match="ledger entry 1: is anchored in git"):
        approve(3, "Ada", "better")
    with pytest.raises(LedgerError, match="settle"):
        decisions.record_timeout(3)
    assert len(ledger.list_entries(store)) == 1


def test_an_alarm_closes_by_itself_when_the_store_is_restored(repository: Path, store: Store, collection: Collection) -> None:
    approve(1, "Ada", "fine")
    approve(3, "Ada", "better")
    rows = list(collection.find())
    delete_newest(collection)
    use_every_reader(store)
    collection.delete_many({})
    collection.insert_many(rows)
    assert run_command("verify") == "the ledger is intact: 2 entries\n"


def test_a_person_settles_alarms_by_an_entry_of_the_ledger(repository: Path, store: Store, collection: Collection) -> None:
    approve(1, "Ada", "fine")
    approve(3, "Ada", "better")
    delete_newest(collection)
    output = run_command("settle", "--reason", "the disk failed")
    assert "settled: ledger entry 2: is anchored in git, and was removed" in output
    assert "settled: version 3: the decision that is noted on it in MLflow" in output
    settlement, manual = ledger.list_entries(store)[1:]
    assert (settlement.action, settlement.comment, len(settlement.evidence["settled"])) == ("settle", "the disk failed", 2)
    assert (manual.action, manual.version) == ("alias_set", 3)  # the ledger lacks its approval, so it serves without a review
    verified = CliRunner().invoke(registry_app, ["verify"], catch_exceptions=False)
    assert verified.stdout == "the ledger is intact, apart from 1 settled alarms: 3 entries\n"
    assert "Settled before: ledger entry 2: is anchored in git" in verified.stderr
    assert approve(3, "Ada", "again").sequence == 4
    with pytest.raises(LedgerError, match="there is nothing to settle"):
        run_command("settle", "--reason", "once more")
    rewrite(collection, 1, reviewer="Mallory")
    with pytest.raises(LedgerError, match="ledger entry 1: is anchored in git, and was replaced"):
        run_command("verify")  # what was settled is one contradiction, not all of them


def test_a_settlement_that_was_written_past_realframe_settles_nothing(repository: Path, store: Store, collection: Collection) -> None:
    last = approve(1, "Ada", "fine")
    rewrite_first(collection)
    (alarm,) = ledger_audit.audit_ledger(store).open_alarms
    (row,) = collection.find()
    facts = {name: value for name, value in row.items() if name not in ("_id", "hash")}
    facts |= {"sequence": 2, "previous_hash": row["hash"], "action": "settle", "version": 0, "evidence": {"settled": [alarm.key]}}
    collection.insert_one({"_id": ledger.hash_entry(facts), "hash": ledger.hash_entry(facts), **facts})
    assert ledger_audit.audit_ledger(store).open_alarms == [alarm]
    assert [entry.sequence for entry in ledger_audit.audit_ledger(store).unanchored] == [1, 2]
    assert last.sequence == 1


def test_a_note_about_another_file_and_another_answer_digest_are_alarms(store: Store) -> None:
    from mlflow.tracking import MlflowClient

    approve(1, "Ada", "fine")
    MlflowClient().set_model_version_tag(model_registry.NAME, "1", "realframe.answer_digest", "f" * 64)
    with pytest.raises(LedgerError, match="version 1: what decides its answers is registered with another digest than in ledger entry 1"):
        run_command("verify")
    MlflowClient().set_model_version_tag(model_registry.NAME, "1", "realframe.sha256", "e" * 64)
    use_every_reader(store)
    with pytest.raises(LedgerError, match=r"version 1: the decision .* is about another version or another file"):
        run_command("verify")


def test_without_a_repository_the_decision_stands_and_verify_says_not_anchored(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        entry = approve(1, "Ada", "fine")
    assert "ledger entry 1 is recorded, but its head is not anchored in git" in caplog.text and "is not a git repository" in caplog.text
    assert ledger.list_entries(store) == [entry]
    verified = CliRunner().invoke(registry_app, ["verify"], catch_exceptions=False)
    assert (verified.exit_code, verified.stdout) == (0, "the ledger is intact: 1 entries\n")
    assert "The ledger is not anchored" in verified.stderr


def test_entries_from_before_the_repository_are_named_and_can_be_anchored(store: Store, tmp_path: Path) -> None:
    approve(1, "Ada", "fine")
    git(tmp_path, "init", "--quiet")
    assert "Not anchored in this repository: ledger entry 1" in CliRunner().invoke(registry_app, ["verify"]).stderr
    assert "anchored: ledger entry 1" in run_command("settle", "--reason", "the repository is new")
    assert CliRunner().invoke(registry_app, ["verify"]).stderr == ""


def test_anchors_are_pushed_with_decisions_and_runs(remote: Path, repository: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    approve(1, "Ada", "fine")
    assert git(remote, "rev-parse", ledger_anchor.REF) == git(repository, "rev-parse", ledger_anchor.REF)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "publish_anchors", lambda **_: None)  # the remote is away
        approve(2, "Ada", "fine")
    assert "Some anchors are not pushed yet." in ledger_audit.audit_ledger(store, includes_remote=True).remarks
    run_versions.push_refs(repository, ["main"], get_settings())
    assert git(remote, "rev-parse", ledger_anchor.REF) == git(repository, "rev-parse", ledger_anchor.REF)
    assert ledger_audit.audit_ledger(store, includes_remote=True).remarks == []


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (lambda here, _: git(here, "update-ref", "-d", ledger_anchor.REF), "git remote: The anchors in this repository were rewritten"),
        (lambda _, there: git(there, "update-ref", "-d", ledger_anchor.REF), "git remote: The git remote .* no longer has the anchors"),
        (
            lambda _, there: git(there, "update-ref", ledger_anchor.REF, f"{ledger_anchor.REF}~1"),
            "git remote: The anchors on the git remote .* were rewritten",
        ),
    ],
)
def test_anchors_that_were_removed_are_an_alarm(
    tamper: Callable[[Path, Path], str], message: str, remote: Path, repository: Path, store: Store
) -> None:
    approve(1, "Ada", "fine")
    approve(2, "Ada", "fine")
    tamper(repository, remote)
    for _ in range(2):
        with pytest.raises(LedgerError, match=message):
            run_command("verify")
        run_command("list")
    assert "settled: git remote" in run_command("settle", "--reason", "the server was replaced")
    assert git(remote, "rev-parse", ledger_anchor.REF) == git(repository, "rev-parse", ledger_anchor.REF)
    assert "intact" in run_command("verify")


def test_a_store_and_a_repository_that_were_rewritten_are_found_by_the_remote(
    remote: Path, repository: Path, store: Store, collection: Collection
) -> None:
    approve(1, "Ada", "fine")
    rewrite_first(collection)
    for ref in git(repository, "for-each-ref", "--format=%(refname)", "refs/realframe/").splitlines():
        git(repository, "update-ref", "-d", ref)
    ledger_anchor.write_anchor(ledger.list_entries(store)[0], get_settings())
    with pytest.raises(LedgerError, match="ledger entry 1: is anchored in git, and was replaced"):
        run_command("verify")


def test_a_remote_that_is_away_is_a_remark(remote: Path, store: Store) -> None:
    approve(1, "Ada", "fine")
    remote.rename(remote.with_name("away.git"))
    verified = CliRunner().invoke(registry_app, ["verify"], catch_exceptions=False)
    assert verified.exit_code == 0 and "was not compared" in verified.stderr
    assert approve(2, "Ada", "fine").sequence == 2


def test_two_machines_merge_their_anchors(remote: Path, repository: Path, store: Store, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(repository), str(other))
    settings = get_settings()
    elsewhere = settings.model_copy(update={"root": other})
    approve(1, "Ada", "fine")
    facts = {"action": "timeout", "version": 2, "model_sha256": "0" * 64, "reviewer": "", "comment": "", "evidence": {}}
    entry = ledger.append_entry(store, lambda: ledger.Decision(**facts, channel="airflow", authentication="none"))
    git(repository, "update-ref", ledger_anchor.REF, f"{ledger_anchor.REF}~1")  # as if the other machine had recorded it
    ledger_anchor.write_anchor(entry, elsewhere)
    assert ledger_anchor.publish(elsewhere) == ""
    approve(3, "Ada", "fine")
    assert ledger_anchor.publish(settings) == "" and ledger_anchor.publish(elsewhere) == ""
    for folder in (repository, other, remote):
        subjects = git(folder, "log", "--format=%s", ledger_anchor.REF)
        assert all(f"ledger {number} " in subjects for number in (1, 2, 3)), folder
    assert ledger_audit.audit_ledger(store, includes_remote=True).open_alarms == []


def test_processes_that_anchor_at_once_lose_no_head(repository: Path, store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: decisions.record_timeout(number % 3 + 1), range(6)))
    assert ledger_audit.audit_ledger(store).unanchored == []


def test_the_pages_show_the_alarm_and_record_no_decision(
    repository: Path, store: Store, collection: Collection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi.testclient import TestClient

    from realframe.store import accounts
    from realframe.web.app import create_app
    from realframe.web.pages import sign_in_page

    monkeypatch.setattr(accounts, "_N", 2)  # cheap passwords
    approve(1, "Ada", "fine")
    rewrite_first(collection)
    accounts.add_account(store, "ada", "reviewer", "correct horse battery")
    sign_in_page._limiter.storage.reset()
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        client.post("/sign-in", data={"name": "ada", "password": "correct horse battery"})
        page = client.get("/versions/3").text
        for path in ("/versions", "/versions/1", "/review"):
            assert "ledger entry 1: is anchored in git, and was replaced" in client.get(path).text, path
        token = page.partition('name="csrf" value="')[2][:64]
        answer = client.post("/versions/3/decision", data={"choice": "reject", "comment": "no", "csrf": token})
        assert answer.status_code >= 400 and "realframe registry settle" in answer.text
        model_registry.delete_alias(model_registry.CHALLENGER)
        assert "ledger entry 1: is anchored in git, and was replaced" in client.get("/review").text
    with pytest.raises(LedgerError):
        run_command("verify")
    assert len(ledger.list_entries(store)) == 1
