"""The ledger is a hash chain: writers take turns, and every change is detected."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from realframe.errors import LedgerError
from realframe.governance import ledger
from realframe.governance.ledger import Decision
from realframe.settings import Settings
from realframe.store.repository import Store
from realframe.store.user_documents import LedgerEntry

APPEND = """
import sys
from realframe.store.repository import open_store
from realframe.governance import ledger
from realframe.settings import get_settings
facts = {"action": "timeout", "version": 1, "model_sha256": "0" * 64, "reviewer": sys.argv[1], "comment": "", "evidence": {}}
facts |= {"channel": "airflow", "authentication": "none"}
with open_store(get_settings()) as store:
    for _ in range(15):
        ledger.append_entry(store, lambda: ledger.Decision(**facts))
"""


def decision(number: int = 1) -> Decision:
    evidence = {"candidate": {"figures": {"item": {"roc_auc": {"value": 1.0, "low": 0.1 + 0.2, "high": None}}}}}
    facts = {"action": "approve", "version": number, "model_sha256": f"{number:064x}", "reviewer": "Ada", "comment": "só gut 👍"}
    source = {"channel": "web", "authentication": "password", "overrides": ("robust",), "override_reason": "crops don't happen here"}
    return Decision(**facts, **source, evidence=evidence)


@pytest.fixture
def collection(settings: Settings) -> Any:
    with MongoClient(settings.mongodb_uri) as client:
        yield client[settings.mongodb_database].ledger


@pytest.fixture
def chain(store: Store) -> list[LedgerEntry]:
    return [ledger.append_entry(store, lambda number=number: decision(number)) for number in range(1, 13)]  # type: ignore[misc]


def test_each_entry_holds_the_hash_of_the_one_before(store: Store, chain: list[LedgerEntry]) -> None:
    assert ledger.list_entries(store) == chain
    assert [entry.sequence for entry in chain] == list(range(1, 13))
    assert [entry.previous_hash for entry in chain] == ["", *(entry.hash for entry in chain[:-1])]
    assert ledger.verify_chain(store) == 12


def test_an_empty_ledger_is_valid(store: Store) -> None:
    assert ledger.verify_chain(store) == 0


def _edit(c: Collection) -> None:
    c.update_one({"sequence": 5}, {"$set": {"comment": "I never said so"}})


def _edit_evidence(c: Collection) -> None:
    c.update_one({"sequence": 5}, {"$set": {"evidence.candidate.figures.item.roc_auc.low": 0.9}})


def _replace(c: Collection) -> None:
    """Replace an entry with a correct hash."""
    row = c.find_one({"sequence": 5}) or {}
    facts = {name: value for name, value in row.items() if name not in ("_id", "hash")} | {"reviewer": "Mallory"}
    c.delete_one({"sequence": 5})
    c.insert_one({"_id": ledger.hash_entry(facts), "hash": ledger.hash_entry(facts), **facts})


def _take_out(c: Collection) -> None:
    c.delete_one({"sequence": 5})


def _take_first(c: Collection) -> None:
    c.delete_one({"sequence": 1})


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (_edit, "ledger entry 5: was changed"),
        (_edit_evidence, "ledger entry 5: was changed"),
        (_replace, "ledger entry 6: does not contain the hash of entry 5"),
        (_take_out, "ledger entry 5: is missing; entry 6"),
        (_take_first, "ledger entry 1: is missing"),
    ],
)
def test_verify_names_the_entry_that_was_tampered_with(
    tamper: Callable[[Collection], None], message: str, store: Store, chain: list[LedgerEntry], collection: Collection
) -> None:
    tamper(collection)
    with pytest.raises(LedgerError, match=message):
        ledger.verify_chain(store)


def test_processes_that_write_at_once_leave_one_valid_chain(store: Store, settings: Settings, tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", APPEND, name], cwd=tmp_path) for name in ("Ada", "Bob", "Cid")]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    assert ledger.verify_chain(store) == 45
    who = [entry.reviewer for entry in ledger.list_entries(store)]
    assert {name: who.count(name) for name in who} == {"Ada": 15, "Bob": 15, "Cid": 15}


def test_the_second_of_two_writers_decides_again(store: Store) -> None:
    seen = []

    def decide() -> Decision:
        seen.append(len(ledger.list_entries(store)))
        if len(seen) == 1:  # another writer comes first
            ledger.append_entry(store, lambda: decision(7))
        return decision(8)

    assert ledger.append_entry(store, decide).sequence == 2
    assert seen == [0, 1]


def test_a_refused_decision_leaves_no_entry(store: Store) -> None:
    def refuse() -> Decision:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ledger.append_entry(store, refuse)
    assert ledger.list_entries(store) == []


def test_a_writer_that_never_comes_first_gets_an_error(store: Store) -> None:
    def decide() -> Decision:
        ledger.append_entry(store, lambda: decision(1))
        return decision(2)

    with pytest.raises(LedgerError, match="appended an entry first in 20 attempts"):
        ledger.append_entry(store, decide)
    assert ledger.verify_chain(store) == 20


def test_entries_without_the_later_fields_stay_verifiable(store: Store, collection: Collection) -> None:
    facts = {
        "sequence": 1,
        "previous_hash": "",
        "action": "approve",
        "version": 1,
        "model_sha256": "0" * 64,
        "reviewer": "Ada",
        "comment": "",
        "evidence": {"champion": None},
        "created": "2026-01-01T00:00:00.000+00:00",
    }
    collection.insert_one({"_id": ledger.hash_entry(facts), "hash": ledger.hash_entry(facts), **facts})
    ledger.append_entry(store, lambda: decision(2))
    assert ledger.verify_chain(store) == 2
    collection.update_one({"sequence": 1}, {"$set": {"channel": "web"}})
    with pytest.raises(LedgerError, match="ledger entry 1: was changed"):
        ledger.verify_chain(store)


@pytest.mark.parametrize("field", ["channel", "authentication", "overrides", "override_reason"])
def test_the_later_fields_cannot_be_removed_from_an_entry(
    field: str, store: Store, chain: list[LedgerEntry], collection: Collection
) -> None:
    collection.update_one({"sequence": 3}, {"$unset": {field: ""}})
    with pytest.raises(LedgerError, match="ledger entry 3: was changed"):
        ledger.verify_chain(store)
