"""The stored result of the gate: computed once, never used once it is stale, and the lock that a decision holds."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from filelock import FileLock
from mlflow.tracking import MlflowClient

from realframe.errors import DecisionBusyError, GateError, MissingGateResultError
from realframe.governance import decisions, gate, gate_results, gate_rules, ledger, reconcile, review_summary
from realframe.governance.decisions import Reviewer
from realframe.governance.gate_results import find_gate_result
from realframe.registry import model_registry
from realframe.runs.git_dvc import git
from realframe.settings import Settings
from realframe.store import accounts
from realframe.store.index_sync import sync_all
from realframe.store.repository import Store
from realframe.store.user_documents import GateRecord
from realframe.web.app import create_app
from realframe.web.auth.sessions import COOKIE
from tests.governance.cli_decisions import OVERRIDE_REASON, approve, reject, reviewer

pytestmark = pytest.mark.usefixtures("three_versions")
ON_THE_WEB = Reviewer("rita", "web", "password")


def edit_rules(settings: Settings, old: str, new: str) -> None:
    path = settings.root / gate_rules.PATH
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def set_tag(version: int, name: str, value: str) -> None:
    MlflowClient().set_model_version_tag(model_registry.NAME, str(version), f"realframe.{name}", value)


def test_the_result_is_computed_once_and_holds_everything_that_the_page_shows(store: Store) -> None:
    approve(1, "Ada", "")
    assert find_gate_result(3, store) is None
    computed = gate.ensure_gate_result(3, store)
    assert gate.ensure_gate_result(3, store) == computed == find_gate_result(3, store)
    assert (computed.version, computed.champion) == (3, 1)
    summary = review_summary.build_review_summary(3, store)
    assert summary.gate == computed
    assert summary.mistakes and summary.figures == computed.comparison.figures
    assert gate.check_gate(3, store).created > computed.created


STALE: dict[str, Callable[[Settings, Store], object]] = {
    "rules edited": lambda settings, _: edit_rules(settings, "at_least: 0.55", "at_least: 0.56"),
    "champion approved": lambda _, store: approve(2, "Ada", ""),
    "champion set by hand": lambda _, store: (model_registry.set_alias("champion", 2), reconcile.detect_manual_changes(store)),
    "evidence changed": lambda *_: set_tag(3, "evidence_digest", "f" * 12),
    "evidence of the champion changed": lambda *_: set_tag(1, "evidence_digest", "f" * 12),
    "result of the audit changed": lambda *_: set_tag(3, "shortcuts", "allowed"),
}


@pytest.mark.parametrize("change", STALE)
def test_a_stale_result_is_never_used(change: str, store: Store, settings: Settings) -> None:
    approve(1, "Ada", "")
    old = gate.check_gate(3, store)
    STALE[change](settings, store)
    decided = len(ledger.list_entries(store))
    assert find_gate_result(3, store) is None
    summary = review_summary.build_review_summary(3, store)
    assert summary.gate is None and "realframe registry gate 3" in summary.gate_headline
    with pytest.raises(MissingGateResultError, match=r"version 3: its gate result .* is not computed yet.*realframe registry gate 3"):
        decisions.approve(3, ON_THE_WEB, "", OVERRIDE_REASON)
    assert len(ledger.list_entries(store)) == decided
    entry = approve(3, "Ada", "")
    assert entry.evidence["gate"]["digest"] != old.digest


def test_a_comment_in_the_rules_changes_no_result(store: Store, settings: Settings) -> None:
    result = gate.check_gate(3, store)
    edit_rules(settings, "four_eyes: false", "four_eyes: false  # for now")
    assert find_gate_result(3, store) == result


def test_another_version_of_the_checking_code_finds_no_result(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.check_gate(3, store)
    monkeypatch.setattr(gate_results, "code_digest", lambda _: "of other code")
    assert find_gate_result(3, store) is None


def test_a_result_that_becomes_stale_before_the_lock_is_not_used(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure, digests = gate.ensure_gate_result, []

    def edit_rules_after_the_first_check(version: int, store: Store) -> object:
        result = ensure(version, store)
        if not digests:
            edit_rules(settings, "at_least: 0.55", "at_least: 0.56")
        digests.append(result.digest)
        return result

    monkeypatch.setattr(gate, "ensure_gate_result", edit_rules_after_the_first_check)
    entry = approve(3, "Ada", "")
    assert len(digests) == 2
    assert entry.evidence["gate"]["digest"] == digests[1] != digests[0]


def test_the_web_approves_by_the_stored_result_and_says_which_rules_are_not_met(store: Store) -> None:
    gate.check_gate(3, store)
    with pytest.raises(GateError, match="does not meet"):
        decisions.approve(3, ON_THE_WEB, "")
    entry = decisions.approve(3, ON_THE_WEB, "", OVERRIDE_REASON)
    assert entry.evidence["gate"]["digest"] and entry.overrides


def test_a_rejection_needs_no_result_and_no_rules(store: Store, settings: Settings) -> None:
    assert reject(2, "Ada", "no").evidence["gate"] is None
    gate.check_gate(3, store)
    assert reject(3, "Ada", "no").evidence["gate"]["version"] == 3
    (settings.root / gate_rules.PATH).unlink()
    assert reject(1, "Ada", "no").evidence["gate"] is None


def test_without_rules_the_page_says_so(store: Store, settings: Settings) -> None:
    (settings.root / gate_rules.PATH).unlink()
    assert "there are no rules to approve by" in review_summary.build_review_summary(3, store).gate_headline


def test_a_rebuilt_index_keeps_the_results_of_registered_versions(store: Store, settings: Settings) -> None:
    result = gate.check_gate(3, store)
    record = store.get(GateRecord, result.digest)
    assert record
    store.upsert([record.model_copy(update={"digest": "e" * 64, "version": 9})])
    git(settings.root, "init", "-q")
    sync_all(settings.root, store, model_registry.list_versions)
    assert store.find_keys(GateRecord) == {result.digest}


def test_the_lock_is_free_while_the_gate_is_checked_and_held_shortly(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_rules, is_free = gate._check_rules, []

    def check_slowly(*arguments: object) -> list[gate_rules.RuleResult]:
        time.sleep(3)
        with FileLock(settings.state_dir / "review.lock", timeout=0):
            is_free.append(True)
        return check_rules(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gate, "_check_rules", check_slowly)
    approve(1, "Ada", "")
    decision = threading.Thread(target=approve, args=(3, "Ada", ""))
    decision.start()
    blocked: list[float] = []
    while decision.is_alive():
        start = time.monotonic()
        with FileLock(settings.state_dir / "review.lock"):
            blocked.append(time.monotonic() - start)
        time.sleep(0.01)
    assert is_free == [True, True]
    assert [entry.version for entry in ledger.list_entries(store)] == [1, 3]
    assert max(blocked) < 2.5, "the check takes 3 s"


def _hold_lock(path: Path, held: "multiprocessing.synchronize.Event", released: "multiprocessing.synchronize.Event") -> None:
    with FileLock(path):
        held.set()
        released.wait(60)


def test_a_decision_waits_only_some_seconds_for_the_lock(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "_LOCK_TIMEOUT_S", 0.5)
    gate.check_gate(3, store)
    accounts.add_account(store, "rita", "reviewer", "correct horse battery")
    context = multiprocessing.get_context("spawn")
    held, released = context.Event(), context.Event()
    other = context.Process(target=_hold_lock, args=(settings.state_dir / "review.lock", held, released))
    other.start()
    try:
        assert held.wait(120)
        with pytest.raises(
            DecisionBusyError, match=r"^review: another process has been recording a decision for more than 0.5 s; try again"
        ):
            decisions.reject(3, reviewer("Ada"), "no")
        with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
            client.cookies.set(COOKIE, accounts.start_session(store, accounts.get_account(store, "rita")), domain="127.0.0.1")
            page = client.get("/versions/3")  # no page waits for the lock
            assert page.status_code == 200
            csrf = page.text.split('name="csrf" value="')[1][:64]
            answer = client.post("/versions/3/decision", data={"choice": "reject", "comment": "no", "csrf": csrf})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert "another process has been recording a decision" in answer.text
    finally:
        released.set()
        other.join()
    assert not ledger.list_entries(store)
    assert reject(3, "Ada", "no").action == "reject"
