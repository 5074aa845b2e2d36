"""The queue: who gets what, in which order, and who may still write."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from realframe.statistics.conformal import Band
from realframe.store import upload_queue
from realframe.store.detection_documents import RANKS, Detection, DetectionRecord, Progress
from realframe.store.repository import Store
from tests.worker.desk import Desk

LONG_AGO = "2026-01-01T00:00:00.000+00:00"


def answer(verdict: str = "real") -> Detection:
    nothing = {"facts": None, "interval": None, "provenance": None, "tiles": None, "frames": (), "moments": (), "cautions": ()}
    said = {"file": "a.jpg", "sha256": "", "verdict": verdict, "probability": 0.1, "score": 0.1, "threshold": 0.5, "looked_at": 0}
    return Detection.model_validate(nothing | said | {"model": "1", "seconds": {}, "band": Band(0.2, 0.8, 0.1)})


HandIn = Callable[..., str]


@pytest.fixture
def hand_in(desk: Desk, tmp_path: Path) -> HandIn:
    file = tmp_path / "a.bin"
    file.write_bytes(b"x")
    return lambda lane="live", **facts: desk.hand_in(file, lane=lane, rank=RANKS[lane], **facts)


def claimed(store: Store, worker: str = "w") -> DetectionRecord:
    found = upload_queue.claim(store, worker)
    assert found
    return found


def test_live_ones_come_first_and_then_the_oldest(store: Store, hand_in: HandIn) -> None:
    batch, first, second = hand_in("batch"), hand_in(), hand_in()
    late = hand_in(state="running", worker="dead", claimed_until=LONG_AGO, attempts=1)
    hand_in(state="running", worker="busy", claimed_until="2999", attempts=1)
    hand_in(state="done")
    assert (upload_queue.waiting(store, "live"), upload_queue.waiting(store, "batch"), upload_queue.idle(store)) == (4, 1, False)
    assert [claimed(store).key for _ in range(4)] == [first, second, late, batch]
    assert upload_queue.claim(store, "w") is None
    assert upload_queue.idle(store)
    assert upload_queue.waiting(store, "live") == 4


def test_workers_in_parallel_never_get_the_same(store: Store, hand_in: HandIn) -> None:
    handed_in = {hand_in() for _ in range(20)} | {hand_in(state="running", worker="dead", claimed_until=LONG_AGO) for _ in range(4)}

    def take_all(worker: str) -> list[str]:
        return [record.key for record in iter(lambda: upload_queue.claim(store, worker), None)]

    with ThreadPoolExecutor(4) as threads:
        taken = [key for keys in threads.map(take_all, "abcd") for key in keys]
    assert sorted(taken) == sorted(handed_in)


@pytest.mark.parametrize("other", ["quick", "slow"])
def test_a_claim_that_was_lost_writes_nothing(store: Store, hand_in: HandIn, other: str) -> None:
    hand_in()
    slow = claimed(store, "slow")
    assert upload_queue.renew(store, slow, Progress(step="scoring", count=1, of=2))
    store.change(DetectionRecord, slow.key, {"claimed_until": LONG_AGO})
    quick = claimed(store, other)
    assert (quick.key, quick.attempts, quick.progress.step) == (slow.key, 2, "scoring")
    assert not upload_queue.renew(store, slow, Progress(step="scoring"))
    assert not upload_queue.finish(store, slow, answer(), shadow=True)
    assert not upload_queue.give_back(store, slow, begun=True)
    assert upload_queue.finish(store, quick, answer(), shadow=True)
    assert not upload_queue.finish(store, quick, answer("uncertain"), shadow=True)
    found = store.get(DetectionRecord, slow.key)
    assert found and (found.state, found.verdict, found.worker, found.shadow) == ("done", "real", other, "waiting")


def test_what_was_deleted_stays_deleted(store: Store, hand_in: HandIn) -> None:
    hand_in()
    record = claimed(store)
    store.delete(DetectionRecord, [record.key])
    assert not upload_queue.renew(store, record, Progress(step="scoring"))
    assert not upload_queue.finish(store, record, answer(), shadow=False)
    assert not upload_queue.give_back(store, record, begun=False)
    assert store.keys(DetectionRecord) == set()


@pytest.mark.parametrize(("begun", "attempts"), [(False, 0), (True, 1)])
def test_what_is_given_back_is_the_next_workers(store: Store, hand_in: HandIn, begun: bool, attempts: int) -> None:
    hand_in()
    assert upload_queue.give_back(store, claimed(store), begun=begun)
    found = store.find(DetectionRecord)[0]
    assert (found.state, found.attempts, found.worker, found.claimed_until, found.progress.step) == ("queued", attempts, "", "", "received")
    assert claimed(store, "other").worker == "other"
