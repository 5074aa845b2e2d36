"""Looking at records, listing them, taking them away, and following one."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as tries

from realframe.errors import RequestError
from realframe.settings import Settings
from realframe.store import detection_records, upload_queue
from realframe.store.detection_documents import DetectionRecord, Progress
from realframe.store.repository import Store
from realframe.web.auth.authentication import Caller
from tests.web.api.conftest import Program, left
from tests.web.api.given import answer, finish, not_scored, record
from tests.web.api.test_handing_in import HERE, problem


def at(found: DetectionRecord) -> str:
    return f"{HERE}/{found.key}"


def names(client: TestClient, **query: object) -> list[str]:
    told = client.get(HERE, params=query)  # type: ignore[arg-type]
    assert told.status_code == 200, told.text
    return [item["file"] for item in told.json()["items"]]


def test_a_record_with_its_answer(ann: TestClient, store: Store) -> None:
    waiting = ann.get(at(record(store))).json()
    assert (waiting["state"], waiting["answer"], waiting["links"]["media"], waiting["links"]["report"]) == ("queued", None, None, None)
    told = ann.get(at(finish(store))).json()
    assert told["answer"] == json.loads(answer().model_dump_json())
    assert told["links"]["heat"] == f"{told['links']['self']}/heat.jpg"
    record(store)
    refused = ann.get(at(finish(store, not_scored()))).json()
    assert (refused["verdict"], refused["answer"]["code"], refused["links"]["media"]) == ("not scored", "media.not-media", None)


def test_what_one_may_not_see_is_not_there(program: Program, store: Store) -> None:
    hers = record(store, owner="ben", file="ben.mp4")
    record(store, owner="ann", file="ann.mp4")
    ann = program("ann")
    for asked in (at(hers), f"{at(hers)}/events", f"{at(hers)}/media", f"{HERE}/{'0' * 31}f"):
        problem(ann.get(asked), 404, "request.not-there")
    problem(ann.delete(at(hers)), 404, "request.not-there")
    problem(ann.post(f"{at(hers)}/feedback", json={"label": "real"}), 404, "request.not-there")
    problem(ann.get(f"{HERE}/no-id"), 422, "request.invalid")
    assert names(ann) == ["ann.mp4"]
    assert names(program("rea")) == names(program("ada")) == ["ann.mp4", "ben.mp4"]
    assert names(program("ada", "analyst")) == []


def test_pages_of_a_list(ann: TestClient, store: Store) -> None:
    for number in range(7):
        record(store, file=f"{number}.mp4")
    seen: list[str] = []
    query: dict[str, object] = {"limit": 3}
    while True:
        told = ann.get(HERE, params=query).json()  # type: ignore[arg-type]
        seen += [item["file"] for item in told["items"]]
        if told["next"] is None:
            break
        query["cursor"] = told["next"]
    assert seen == [f"{number}.mp4" for number in reversed(range(7))]
    assert len(names(ann, limit=7)) == 7
    assert ann.get(HERE, params={"limit": 7}).json()["next"] is None


def test_a_cursor_that_is_none_of_ours(ann: TestClient, store: Store) -> None:
    for cursor in ("abc", "é" * 16, "A" * 64, "=" * 24):
        problem(ann.get(HERE, params={"cursor": cursor}), 422, "request.invalid")
        with pytest.raises(RequestError):
            detection_records.listing(store, Caller("ann", "analyst"), detection_records.RecordFilter(), 1, cursor)


def test_filters(ann: TestClient, store: Store) -> None:
    for file, day, batch in (("a.MP4", "01", "a" * 16), ("b.mp4", "02", "b" * 16), ("c+.png", "03", "")):
        record(store, file=file, batch=batch, created=f"2026-02-{day}T12:00:00.000+00:00")
    finish(store, answer(model="2"))
    finish(store, not_scored())
    assert names(ann, file="MP4") == ["b.mp4", "a.MP4"]
    assert names(ann, file="+.") == ["c+.png"]
    assert names(ann, batch="b" * 16) == ["b.mp4"]
    assert names(ann, verdict="ai-generated") == names(ann, model="2") == ["a.MP4"]
    assert names(ann, verdict="not scored") == ["b.mp4"]
    assert names(ann, since="2026-02-02T12:00:00Z") == ["c+.png", "b.mp4"]
    assert names(ann, since="2026-02-02T14:00:00+02:00", until="2026-02-03") == ["b.mp4"]
    assert names(ann, until="2026-02-02T12:00:00") == ["a.MP4"]
    assert (
        names(ann, verdict="real") == names(ann, since="9999-12-31T23:59:59-14:00") == names(ann, until="0001-01-01T00:00:00+14:00") == []
    )
    for query in ({"verdict": "fake"}, {"limit": 0}, {"limit": 201}, {"since": "soon"}, {"since": "5"}, {"batch": "x"}, {"file": "a\0"}):
        problem(ann.get(HERE, params=query), 422, "request.invalid")  # type: ignore[arg-type]


@tries(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strategies.text(strategies.characters(exclude_categories=["C"]), min_size=1, max_size=20))
def test_a_part_of_a_name_is_taken_as_it_is(ann: TestClient, store: Store, text: str) -> None:
    found = record(store, file=f"x{text}y")
    other = record(store, file="another")
    assert f"x{text}y" in names(ann, file=text)
    assert "another" not in names(ann, file=f"x{text}")
    store.delete(DetectionRecord, [found.key, other.key])


def test_taking_away(program: Program, store: Store, settings: Settings) -> None:
    ann, ada = program("ann"), program("ada")
    handed = ann.post(HERE, files={"file": ("a", b"x")}).json()["detection_id"]
    running = upload_queue.claim(store, "worker")
    assert running
    assert running.key == handed
    problem(program("rea").delete(at(running)), 403, "request.forbidden")
    assert left(settings)
    gone = ann.delete(at(running))
    assert (gone.status_code, gone.content) == (204, b"")
    assert not left(settings)
    assert not upload_queue.renew(store, running, Progress(step="decoding"))
    problem(ann.delete(at(running)), 404, "request.not-there")
    assert ada.delete(at(record(store, owner="ben"))).status_code == 204


def follow(live: tuple[str, int], key: str, found: DetectionRecord) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the events as they come."""
    headers = {"Authorization": f"Bearer {key}", "Last-Event-ID": "7"}
    with httpx2.stream("GET", f"http://{live[0]}:{live[1]}{at(found)}/events", headers=headers, timeout=30) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        event = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield event, json.loads(line.removeprefix("data: "))


def test_each_step_is_told_once_and_the_answer_ends_it(live: tuple[str, int], live_key: str, store: Store) -> None:
    found = record(store)
    claimed = upload_queue.claim(store, "worker")
    assert claimed
    told = []
    for event, data in follow(live, live_key, found):
        told.append((event, data))
        if event == "received":
            upload_queue.renew(store, claimed, Progress(step="decoding", count=1, of=2))
        elif event == "decoding":
            upload_queue.renew(store, claimed, Progress(step="decoding", count=1, of=2))  # no news
            time.sleep(0.4)
            upload_queue.renew(store, claimed, Progress(step="scoring"))
        elif event == "scoring":
            upload_queue.finish(store, claimed, answer(), shadow=False)
    assert [event for event, _ in told] == ["received", "decoding", "scoring", "done"]
    assert told[1][1] == {"step": "decoding", "count": 1, "of": 2}
    assert told[-1][1]["verdict"] == "ai-generated"
    assert told[-1][1]["links"]["self"] == at(found)  # type: ignore[index]
    assert [event for event, _ in follow(live, live_key, found)] == ["done"]


def test_a_record_that_is_taken_away_ends_the_events(live: tuple[str, int], live_key: str, store: Store) -> None:
    found = record(store)
    told = []
    for event, data in follow(live, live_key, found):
        told.append((event, data))
        store.delete(DetectionRecord, [found.key])
    assert told == [("received", {"step": "received", "count": 0, "of": 0}), ("gone", {"detection_id": found.key})]


def test_who_waits_for_what_is_taken_away_is_told(ann: TestClient, store: Store) -> None:
    def take_away() -> None:
        while not (keys := store.keys(DetectionRecord)):
            time.sleep(0.02)
        store.delete(DetectionRecord, keys)

    remover = threading.Thread(target=take_away)
    remover.start()
    problem(ann.post(HERE, files={"file": ("a", b"x")}, params={"wait": 30}), 404, "request.not-there")
    remover.join()


def test_a_record_is_among_those_since_it_was_made(ann: TestClient) -> None:
    for name in "abc":
        ann.post(HERE, files={"file": (name, b"x")})
    for found in ann.get(HERE).json()["items"]:
        made = datetime.fromisoformat(found["created"])
        assert abs((datetime.now(UTC) - made).total_seconds()) < 60
        assert found["file"] in names(ann, since=found["created"])
        assert found["file"] not in names(ann, until=found["created"])
        assert found["file"] in names(ann, until=(made + timedelta(milliseconds=1)).isoformat())
