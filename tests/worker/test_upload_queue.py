"""The upload queue: which worker claims which record, in which order, and which worker may still write."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from realframe.store import upload_queue
from realframe.store.detection_documents import LANE_PRIORITIES, DetectionRecord, Progress
from realframe.store.repository import Store
from tests.detection_factory import make_detection
from tests.worker.uploads import Uploads

LONG_AGO = "2026-01-01T00:00:00.000+00:00"


AddUpload = Callable[..., str]


@pytest.fixture
def add_upload(uploads: Uploads, tmp_path: Path) -> AddUpload:
    file = tmp_path / "a.bin"
    file.write_bytes(b"x")
    return lambda lane="live", **facts: uploads.add(file, lane=lane, priority=LANE_PRIORITIES[lane], **facts)


def claim(store: Store, worker: str = "w") -> DetectionRecord:
    record = upload_queue.claim(store, worker)
    assert record
    return record


def test_the_live_lane_comes_first_and_then_the_oldest_record(store: Store, add_upload: AddUpload) -> None:
    batch, first, second = add_upload("batch"), add_upload(), add_upload()
    late = add_upload(state="running", worker="dead", claimed_until=LONG_AGO, attempts=1)
    add_upload(state="running", worker="busy", claimed_until="2999", attempts=1)
    add_upload(state="done")
    assert (upload_queue.count_unfinished(store, "live"), upload_queue.count_unfinished(store, "batch"), upload_queue.is_empty(store)) == (
        4,
        1,
        False,
    )
    assert [claim(store).key for _ in range(4)] == [first, second, late, batch]
    assert upload_queue.claim(store, "w") is None
    assert upload_queue.is_empty(store)
    assert upload_queue.count_unfinished(store, "live") == 4


def test_parallel_workers_never_claim_the_same_record(store: Store, add_upload: AddUpload) -> None:
    uploaded = {add_upload() for _ in range(20)} | {add_upload(state="running", worker="dead", claimed_until=LONG_AGO) for _ in range(4)}

    def claim_all(worker: str) -> list[str]:
        return [record.key for record in iter(lambda: upload_queue.claim(store, worker), None)]

    with ThreadPoolExecutor(4) as threads:
        claimed = [key for keys in threads.map(claim_all, "abcd") for key in keys]
    assert sorted(claimed) == sorted(uploaded)


@pytest.mark.parametrize("other", ["quick", "slow"])
def test_a_lost_claim_writes_nothing(store: Store, add_upload: AddUpload, other: str) -> None:
    add_upload()
    slow = claim(store, "slow")
    assert upload_queue.renew_claim(store, slow, Progress(step="scoring", count=1, total=2))
    store.update(DetectionRecord, slow.key, {"claimed_until": LONG_AGO})
    quick = claim(store, other)
    assert (quick.key, quick.attempts, quick.progress.step) == (slow.key, 2, "scoring")
    assert not upload_queue.renew_claim(store, slow, Progress(step="scoring"))
    assert not upload_queue.finish(store, slow, make_detection(verdict="real"), shadow=True)
    assert not upload_queue.release(store, slow, count_attempt=True)
    assert upload_queue.finish(store, quick, make_detection(verdict="real"), shadow=True)
    assert not upload_queue.finish(store, quick, make_detection(verdict="uncertain"), shadow=True)
    record = store.get(DetectionRecord, slow.key)
    assert record and (record.state, record.verdict, record.worker, record.shadow) == ("done", "real", other, "waiting")


def test_a_deleted_record_stays_deleted(store: Store, add_upload: AddUpload) -> None:
    add_upload()
    record = claim(store)
    store.delete(DetectionRecord, [record.key])
    assert not upload_queue.renew_claim(store, record, Progress(step="scoring"))
    assert not upload_queue.finish(store, record, make_detection(verdict="real"), shadow=False)
    assert not upload_queue.release(store, record, count_attempt=False)
    assert store.find_keys(DetectionRecord) == set()


@pytest.mark.parametrize(("count_attempt", "attempts"), [(False, 0), (True, 1)])
def test_another_worker_claims_a_released_record(store: Store, add_upload: AddUpload, count_attempt: bool, attempts: int) -> None:
    add_upload()
    assert upload_queue.release(store, claim(store), count_attempt=count_attempt)
    record = store.find(DetectionRecord)[0]
    assert (record.state, record.attempts, record.worker, record.claimed_until, record.progress.step) == (
        "queued",
        attempts,
        "",
        "",
        "received",
    )
    assert claim(store, "other").worker == "other"
