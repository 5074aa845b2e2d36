"""The queries of the upload queue (pages, counts, order and claims), tested on both servers."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from pymongo import MongoClient

from realframe.store.detection_documents import DetectionRecord, State
from realframe.store.repository import Store
from tests.store.test_repository import opened

__all__ = ["opened"]
Opened = tuple[Store, MongoClient]


def record(number: int, state: State = "queued", **facts: object) -> DetectionRecord:
    given = {"owner": "ann", "file": "a.jpg", "bytes": 1, "created": "2026-01-01", "state": state}
    return DetectionRecord.model_validate({"detection_id": f"{number:032x}"} | given | facts)


def claim(store: Store, number: int, worker: str) -> DetectionRecord | None:
    return store.claim(DetectionRecord, record(number).key, {"state": "queued"}, {"state": "running", "worker": worker}, "attempts")


def test_a_page_begins_at_the_highest_key(opened: Opened) -> None:
    store, _ = opened
    store.upsert([record(number, owner="ann" if number % 2 else "bob") for number in range(20)])
    assert [item.key for item in store.find_page(DetectionRecord, {}, 3)] == [record(number).key for number in (19, 18, 17)]
    older = {"owner": "ann", "_id": {"$lt": record(17).key}}
    assert [item.key for item in store.find_page(DetectionRecord, older, 2)] == [record(number).key for number in (15, 13)]
    assert store.find_page(DetectionRecord, {"owner": "eve"}, 2) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 12),
        ({"state": "queued"}, 8),
        ({"state": "queued", "lane": "batch"}, 4),
        ({"state": "gone"}, 0),
        ({"state": {"$in": ["running", "gone"]}}, 4),
        ({"created": {"$lt": "2025"}}, 0),
        ({"has_files": True, "progress.step": "received"}, 12),
        ({"file": {"$regex": r"A\.J", "$options": "i"}, "created": {"$gte": "2026", "$lt": "2027"}, "owner": "ann"}, 12),
        ({"file": {"$regex": r"\+", "$options": "i"}}, 0),
        ({"file": {"$regex": r"(?i)A\.J"}, "detection_id": {"$gte": f"{3:032x}", "$lt": f"{9:032x}"}}, 6),
    ],
)
def test_matching_documents_are_counted(opened: Opened, query: dict[str, object], found: int) -> None:
    store, _ = opened
    assert store.count(DetectionRecord, query) == 0
    states: list[State] = ["queued", "queued", "running"]
    store.upsert([record(number, states[number % 3], lane="batch" if number % 2 else "live") for number in range(12)])
    assert store.count(DetectionRecord, query) == found
    assert len(store.find_keys(DetectionRecord, query)) == found


def test_documents_are_counted_by_the_value_of_a_field(opened: Opened) -> None:
    store, _ = opened
    store.upsert([record(number, model=str(number % 3), verdict="real" if number < 7 else "") for number in range(10)])
    assert store.count_by(DetectionRecord, "model", {"verdict": "real"}) == {"0": 3, "1": 2, "2": 2}
    assert store.count_by(DetectionRecord, "model", {"verdict": "uncertain"}) == {}


def test_find_first_sorts_by_several_fields(opened: Opened) -> None:
    store, _ = opened
    store.upsert([record(number, priority=priority) for number, priority in enumerate([1, 0, 1, 0, 10, 2])])
    found = store.find_first(DetectionRecord, {"state": "queued"}, ("priority", "detection_id"), 5)
    assert [int(item.key, 16) for item in found] == [1, 3, 0, 2, 5]


def test_only_one_of_many_concurrent_claims_succeeds(opened: Opened) -> None:
    store, _ = opened
    store.upsert([record(number) for number in range(25)])

    def take(worker: str) -> list[str]:
        return [found.key for number in range(25) if (found := claim(store, number, worker))]

    with ThreadPoolExecutor(8) as threads:
        taken = Counter(key for keys in threads.map(take, "abcdefgh") for key in keys)
    assert taken == Counter({record(number).key: 1 for number in range(25)})
    assert all((item.attempts, item.state) == (1, "running") for item in store.find(DetectionRecord))


def test_a_claim_returns_the_updated_document_or_nothing(opened: Opened) -> None:
    store, _ = opened
    store.upsert([record(1, attempts=4)])
    found = claim(store, 1, "w")
    assert found and (found.worker, found.attempts) == ("w", 5)
    assert claim(store, 1, "x") is None
    assert claim(store, 2, "x") is None
    assert store.find_keys(DetectionRecord) == {record(1).key}


def test_an_update_changes_only_a_matching_document(opened: Opened) -> None:
    store, _ = opened
    store.upsert([record(1)])
    assert store.update(DetectionRecord, record(1).key, {"progress.count": 3, "file": "$set.b"}, {"state": "queued"})
    assert store.update(DetectionRecord, record(1).key, {"file": "$set.b"})  # the same again is no miss
    found = store.get(DetectionRecord, record(1).key)
    assert found and (found.progress.count, found.file) == (3, "$set.b")
    assert not store.update(DetectionRecord, record(1).key, {"file": "c"}, {"state": "running"})
    assert not store.update(DetectionRecord, record(2).key, {"file": "c"})
    assert store.find_keys(DetectionRecord) == {record(1).key}
