"""The contract of the store, tested on the embedded server and, if MONGODB_URI is set, on a real MongoDB."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError
from pymongo import MongoClient

from realframe.errors import LedgerError, MetadataError
from realframe.settings import Settings
from realframe.store.document_base import Membership
from realframe.store.index_documents import Dataset, Media, Model, SplitCount
from realframe.store.repository import Store, open_store
from realframe.store.user_documents import LedgerEntry
from tests import run_folder
from tests.state_fixtures import drop_collections
from tests.unreachable_servers import hanging_port

__all__ = ["hanging_port"]
DATABASE = f"realframe_test_{os.getpid()}"
REAL = os.environ.get("MONGODB_URI", "")


@pytest.fixture(params=["embedded", "MONGODB_URI"])
def opened(request: pytest.FixtureRequest, embedded_uri: str) -> Iterator[tuple[Store, MongoClient]]:
    if request.param == "MONGODB_URI" and not REAL:
        pytest.skip("no MongoDB server: MONGODB_URI is not set")
    uri = embedded_uri if request.param == "embedded" else REAL
    drop_collections(uri, DATABASE)
    with open_store(Settings(MONGODB_URI=uri, mongodb_database=DATABASE)) as store, MongoClient(uri) as client:
        yield store, client
    drop_collections(uri, DATABASE)


def media(number: int, **changes: object) -> Media:
    row = run_folder.make_media_table(number + 1).iloc[number].to_dict() | changes
    return Media.model_validate({name: row[name] for name in Media.model_fields if name in row})


def model(version: int, dataset: str = "a" * 12) -> Model:
    facts = {"run_id": "r", "sha256": run_folder.media_id(version), "commit": "c", "recipe": "x", "created": "2026-01-01T00:00:00+00:00"}
    return Model(version=version, dataset=dataset, **facts)


def entry(sequence: int, digest: str) -> LedgerEntry:
    facts = {
        "previous_hash": "",
        "action": "approve",
        "version": 1,
        "model_sha256": "0" * 64,
        "reviewer": "r",
        "comment": "",
        "created": "now",
    }
    return LedgerEntry(
        sequence=sequence, hash=digest, evidence={"one": 1.0, "tiny": 1e-300, "none": None, "a.b": {"$c": "é\u2028"}}, **facts
    )


def test_upsert_updates_documents_and_keeps_their_sets(opened: tuple[Store, MongoClient]) -> None:
    store, _ = opened
    store.upsert([media(number) for number in range(5)])
    keys = [media(1).key, media(3).key]
    for _ in range(2):
        store.add_to_set(Media, keys, "datasets", Membership(version="a" * 12, split="train"))
    store.upsert([media(number, path=f"moved/{number}.mp4") for number in range(5)])
    found = store.find(Media)
    assert len(found) == 5
    assert all(item.path.startswith("moved/") for item in found)
    sets = {item.key: item.datasets for item in found}
    assert [len(sets[media(number).key]) for number in range(5)] == [0, 1, 0, 1, 0]


def test_media_are_found_by_version_and_split_together(opened: tuple[Store, MongoClient]) -> None:
    store, _ = opened
    store.upsert([media(number) for number in range(3)])
    store.add_to_set(Media, [media(0).key], "datasets", Membership(version="a" * 12, split="train"))
    store.add_to_set(Media, [media(0).key], "datasets", Membership(version="b" * 12, split="test"))
    store.add_to_set(Media, [media(1).key], "datasets", Membership(version="b" * 12, split="train"))
    found = store.find(Media, {"datasets": {"$elemMatch": {"version": "b" * 12, "split": "train"}}})
    assert [item.key for item in found] == [media(1).key]


def test_documents_that_exceed_one_message_are_all_written(opened: tuple[Store, MongoClient]) -> None:
    store, _ = opened
    template = media(0)
    many = [template.model_copy(update={"media_id": run_folder.media_id(number)}) for number in range(1200)]
    store.upsert(many)
    store.add_to_set(Media, [item.key for item in many], "datasets", Membership(version="a" * 12, split="val"))
    assert store.find_keys(Media) == {item.key for item in many}
    assert len(store.find(Media, {"datasets": {"$elemMatch": {"version": "a" * 12, "split": "val"}}})) == 1200
    store.delete(Media, [item.key for item in many[:1100]])
    assert store.find_keys(Media) == {item.key for item in many[1100:]}


def test_elements_are_removed_from_sets(opened: tuple[Store, MongoClient]) -> None:
    store, _ = opened
    store.upsert([media(0), media(1)])
    for version in "abc":
        store.add_to_set(Media, [media(0).key, media(1).key], "datasets", Membership(version=version * 12, split="train"))
    store.remove_from_set(Media, {}, "datasets", {"version": {"$in": ["a" * 12, "c" * 12]}})
    assert [[member.version for member in item.datasets] for item in store.find(Media)] == [["b" * 12]] * 2
    store.upsert([Dataset(version="a" * 12, items=1, counts=(SplitCount(split="train", label="real", kind="image", items=1),))])
    for commit in ("one", "two", "three"):
        store.add_to_set(Dataset, ["a" * 12], "commits", commit)
    store.remove_from_set(Dataset, {"_id": "a" * 12}, "commits", {"$in": ["one", "three"]})
    found = store.get(Dataset, "a" * 12)
    assert found and found.commits == ("two",) and found.counts[0].items == 1


def test_find_highest_compares_numbers_and_not_text(opened: tuple[Store, MongoClient]) -> None:
    store, _ = opened
    assert store.find_highest(LedgerEntry, "sequence") is None
    for sequence in range(1, 13):
        store.insert(entry(sequence, run_folder.media_id(sequence)))
    newest = store.find_highest(LedgerEntry, "sequence")
    assert newest and newest.sequence == 12


def test_documents_are_read_as_they_were_written(opened: tuple[Store, MongoClient]) -> None:
    store, _ = opened
    written = entry(1, "f" * 64)
    store.insert(written)
    assert store.get(LedgerEntry, "f" * 64) == written
    found = store.get(LedgerEntry, "f" * 64)
    assert found and [type(value) for value in found.evidence.values()] == [float, float, type(None), dict]


def test_models_are_found_by_dataset(opened: tuple[Store, MongoClient]) -> None:
    store, _ = opened
    store.upsert([model(number, dataset="ab"[number % 2] * 12) for number in range(1, 12)])
    found = store.find(Model, {"dataset": {"$in": ["a" * 12, "c" * 12]}})
    assert sorted(item.version for item in found) == [2, 4, 6, 8, 10]


def test_keys_are_found_by_prefix(opened: tuple[Store, MongoClient]) -> None:
    store, _ = opened
    store.upsert([media(number) for number in range(20)])
    wanted = media(7).key
    assert [item.key for item in store.find(Media, {"_id": {"$gte": wanted[:8], "$lt": wanted[:8] + "g"}})] == [wanted]


def test_one_ledger_sequence_is_inserted_once(opened: tuple[Store, MongoClient]) -> None:
    store, _ = opened

    def insert(number: int) -> bool:
        try:
            store.insert(entry(1, run_folder.media_id(number)))
        except LedgerError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(insert, range(16))) == 1
    assert len(store.find_keys(LedgerEntry)) == 1


def test_an_invalid_document_is_named(opened: tuple[Store, MongoClient]) -> None:
    store, client = opened
    store.upsert([media(0)])
    client[DATABASE].media.update_one({}, {"$set": {"label": "perhaps"}})
    with pytest.raises(MetadataError, match=f"media/{media(0).key}: .*label.*realframe metadata sync"):
        store.get(Media, media(0).key)


@pytest.mark.parametrize("changes", [{"label": "perhaps"}, {"media_id": "short"}, {"bytes": 0}, {"fps": -1.0}])
def test_an_invalid_document_is_refused_before_it_is_written(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        media(0, **changes)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [("mongodb://someone:secret@127.0.0.1:9/", "failed"), ("mongodb://someone:secret@host:port/", "is not a MongoDB address")],
)
def test_the_error_of_an_unreachable_server_hides_the_password(uri: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.store.repository._TIMEOUT_MS", 100)
    with pytest.raises(MetadataError, match=reason) as raised, open_store(Settings(MONGODB_URI=uri)):
        pass
    assert "secret" not in str(raised.value)


def test_a_server_that_never_answers_ends_in_one_sentence(hanging_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.store.repository._TIMEOUT_MS", 500)
    began = time.monotonic()
    with pytest.raises(MetadataError, match=r"^mongodb://127.0.0.1:\d+: failed: .*Check that the server runs"):  # noqa: SIM117
        with open_store(Settings(MONGODB_URI=f"mongodb://127.0.0.1:{hanging_port}")):
            pass
    assert time.monotonic() - began < 5
