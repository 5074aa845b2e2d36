"""Decisions change the ledger first and the registry after it; manual changes of the alias are recorded."""

import pytest

from realframe.errors import RegistryError
from realframe.governance import champion_history, ledger, reconcile
from realframe.governance.decisions import record_timeout
from realframe.registry import model_registry
from realframe.store.repository import Store
from tests.governance.cli_decisions import approve, reject, rollback

pytestmark = pytest.mark.usefixtures("three_versions")


def aliases() -> dict[str, int]:
    return {alias: version.version for version in model_registry.list_versions() for alias in version.aliases}


def test_an_approval_sets_the_champion_and_is_in_the_ledger(store: Store) -> None:
    entry = approve(3, "Ada", "better everywhere")
    assert aliases() == {"champion": 3}
    assert ledger.list_entries(store) == [entry]
    version = model_registry.get_version(3)
    assert (entry.action, entry.version, entry.reviewer, entry.comment) == ("approve", 3, "Ada", "better everywhere")
    assert entry.model_sha256 == version.sha256
    assert entry.evidence["candidate"]["figures"] == version.figures
    assert entry.evidence["champion"] is None
    assert version.decision == ledger.format_entry_id(entry)
    assert ledger.verify_chain(store) == 1


def test_an_approval_of_another_version_leaves_the_challenger_waiting(store: Store) -> None:
    approve(1, "Ada", "")
    assert aliases() == {"champion": 1, "challenger": 3}


def test_an_entry_records_the_champion_of_its_time(store: Store) -> None:
    approve(1, "Ada", "")
    entry = approve(2, "Bob", "")
    assert entry.evidence["champion"]["version"] == 1
    assert entry.evidence["champion"]["figures"] == model_registry.get_version(1).figures


def test_a_rejection_removes_the_challenger_alias(store: Store) -> None:
    approve(1, "Ada", "")
    entry = reject(3, "Bob", "misses one generator")
    assert aliases() == {"champion": 1}
    assert (entry.action, entry.version, entry.reviewer) == ("reject", 3, "Bob")


def test_a_time_out_approves_nothing(store: Store) -> None:
    entry = record_timeout(3)
    assert aliases() == {"challenger": 3}
    assert (entry.action, entry.reviewer) == ("timeout", "")
    approve(3, "Ada", "")
    assert aliases() == {"champion": 3}


def test_rollbacks_go_back_step_by_step(store: Store) -> None:
    for version in (1, 2, 3):
        approve(version, "Ada", "")
    assert rollback("Bob", "false alarms").version == 2
    assert aliases() == {"champion": 2}
    assert rollback("Bob", "more of them").version == 1
    assert aliases() == {"champion": 1}
    with pytest.raises(RegistryError, match="champion: has no predecessor to return to"):
        rollback("Bob", "all of them")
    assert ledger.verify_chain(store) == 5


def test_a_rollback_can_name_a_former_champion(store: Store) -> None:
    for version in (1, 2, 3):
        approve(version, "Ada", "")
    assert rollback("Bob", "", to=1).version == 1
    with pytest.raises(RegistryError, match=r"version 2: was not champion before the current one. Former champions: none"):
        rollback("Bob", "", to=2)
    approve(3, "Ada", "again")
    assert rollback("Bob", "").version == 1


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (lambda: approve(9, "Ada", ""), r"version 9: is not in the registry. Registered versions: 1, 2, 3\."),
        (lambda: reject(9, "Ada", ""), "version 9: is not in the registry"),
        (lambda: record_timeout(9), "version 9: is not in the registry"),
        (lambda: approve(2, "Ada", ""), "version 2: is already the champion"),
        (lambda: reject(2, "Ada", ""), "version 2: is the champion"),
        (lambda: approve(3, " ", ""), "reviewer: a decision needs the name"),
        (lambda: reject(3, "", ""), "reviewer: a decision needs the name"),
        (lambda: rollback("", ""), "reviewer: a decision needs the name"),
        (lambda: rollback("Ada", ""), "champion: has no predecessor"),
        (lambda: rollback("Ada", "", to=3), "version 3: was not champion before"),
    ],
)
def test_refused_decisions_raise_and_change_nothing(decision: object, message: str, store: Store) -> None:
    approve(2, "Ada", "")
    before = aliases()
    with pytest.raises(RegistryError, match=message):
        decision()  # type: ignore[operator]
    assert len(ledger.list_entries(store)) == 1
    assert aliases() == before


def _kill_after_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process die after the ledger was written and before the registry changes."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("set_alias", "delete_alias", "set_decision"):
        monkeypatch.setattr(model_registry, name, die)


@pytest.mark.parametrize("decision", [lambda: approve(3, "Ada", "ok"), lambda: reject(3, "Ada", "no")])
def test_an_interrupted_decision_is_finished_by_a_second_attempt(decision: object, store: Store) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _kill_after_ledger(patch)
        with pytest.raises(KeyboardInterrupt):
            decision()  # type: ignore[operator]
    assert aliases() == {"challenger": 3}
    (written,) = ledger.list_entries(store)
    assert decision() == written  # type: ignore[operator]
    assert "challenger" not in aliases()
    assert model_registry.get_version(3).decision == ledger.format_entry_id(written)
    assert len(ledger.list_entries(store)) == 1


def test_a_decision_interrupted_before_its_reference_is_no_manual_change(store: Store) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_registry, "set_decision", die)
        with pytest.raises(KeyboardInterrupt):
            approve(3, "Ada", "ok")
    assert aliases()["champion"] == 3
    assert reconcile.detect_manual_changes(store) == []
    (written,) = ledger.list_entries(store)
    assert model_registry.get_version(3).decision == ledger.format_entry_id(written)


def test_an_interrupted_rollback_does_not_go_back_twice(store: Store) -> None:
    for version in (1, 2, 3):
        approve(version, "Ada", "")
    with pytest.MonkeyPatch.context() as patch:
        _kill_after_ledger(patch)
        with pytest.raises(KeyboardInterrupt):
            rollback("Bob", "")
    assert rollback("Bob", "").version == 2
    assert aliases() == {"champion": 2}


def test_an_interrupted_decision_is_applied_before_the_next_one(store: Store) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _kill_after_ledger(patch)
        with pytest.raises(KeyboardInterrupt):
            approve(1, "Ada", "")
    entry = approve(2, "Bob", "")
    assert entry.evidence["champion"]["version"] == 1
    assert aliases()["champion"] == 2


def test_a_champion_set_by_hand_stays_and_is_recorded_as_alias_set(store: Store) -> None:
    approve(1, "Ada", "")
    model_registry.set_alias("champion", 3)
    record_timeout(2)
    entry = ledger.list_entries(store)[1]
    assert (entry.action, entry.version, entry.channel, entry.reviewer) == ("alias_set", 3, "mlflow", "")
    assert entry.evidence["champion"]["version"] == 1
    assert aliases()["champion"] == 3
    assert champion_history.find_unapproved_promotion(ledger.list_entries(store), model_registry.list_versions()) == entry
    assert ledger.verify_chain(store) == 3


def test_an_alias_removed_by_hand_is_recorded_and_not_set_again(store: Store) -> None:
    approve(1, "Ada", "")
    model_registry.delete_alias("champion")
    (entry,) = reconcile.detect_manual_changes(store)
    assert (entry.action, entry.version, entry.channel) == ("alias_removed", 1, "mlflow")
    assert reconcile.detect_manual_changes(store) == []
    assert "champion" not in aliases()
    assert rollback("Bob", "it served well").version == 1
    assert aliases()["champion"] == 1


def test_a_champion_without_a_review_can_be_approved_and_rolled_back(store: Store) -> None:
    approve(1, "Ada", "")
    model_registry.set_alias("champion", 3)
    reconcile.detect_manual_changes(store)
    assert approve(3, "Ada", "reviewed later").action == "approve"
    assert champion_history.find_unapproved_promotion(ledger.list_entries(store), model_registry.list_versions()) is None
    assert "challenger" not in aliases()
    assert rollback("Bob", "").version == 1


def test_an_alias_set_by_hand_before_any_review_is_recorded(store: Store) -> None:
    model_registry.set_alias("champion", 2)
    (entry,) = reconcile.detect_manual_changes(store)
    assert (entry.action, entry.version, entry.evidence["champion"]) == ("alias_set", 2, None)


def test_entries_of_a_replaced_registry_have_no_effect(store: Store) -> None:
    facts = {"action": "approve", "version": 1, "model_sha256": "e" * 64, "reviewer": "Ada", "comment": "", "evidence": {}}
    ledger.append_entry(store, lambda: ledger.Decision(**facts, channel="cli", authentication="os"))
    assert reconcile.apply_ledger(store) is None
    assert aliases() == {"challenger": 3}
    with pytest.raises(RegistryError, match="Former champions: none"):
        rollback("Ada", "")


def test_a_second_reconciliation_changes_nothing(store: Store) -> None:
    approve(3, "Ada", "")
    model_registry.set_alias("champion", 1)
    (recorded,) = reconcile.detect_manual_changes(store)
    assert reconcile.detect_manual_changes(store) == []
    assert ledger.list_entries(store)[1:] == [recorded]


def test_two_decisions_at_once_are_recorded_one_after_the_other(store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda version: approve(version, f"Reviewer {version}", ""), (1, 2)))
    chain = ledger.list_entries(store)
    assert sorted(entry.version for entry in chain) == [1, 2]
    assert aliases()["champion"] == chain[-1].version
    assert ledger.verify_chain(store) == 2
