"""Reading, listing, deleting and following detections."""

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
from realframe.store.accounts import User
from realframe.store.detection_documents import DetectionRecord, Progress
from realframe.store.repository import Store
from tests.detection_factory import make_unscored_detection
from tests.web.api.api_checks import DETECTIONS_URL, assert_problem, detection_url, stored_files
from tests.web.api.conftest import CreateClient
from tests.web.api.queued_uploads import finish_next, insert_record, make_result


def file_names(client: TestClient, **query: object) -> list[str]:
    response = client.get(DETECTIONS_URL, params=query)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    return [item["file"] for item in response.json()["items"]]


def test_a_record_with_its_result(ann: TestClient, store: Store) -> None:
    waiting = ann.get(detection_url(insert_record(store))).json()
    assert (waiting["state"], waiting["result"], waiting["links"]["media"], waiting["links"]["report"]) == ("queued", None, None, None)
    done = ann.get(detection_url(finish_next(store))).json()
    assert done["result"] == json.loads(make_result().model_dump_json())
    assert done["links"]["heatmaps"] == f"{done['links']['self']}/heat.jpg"
    insert_record(store)
    refused = ann.get(detection_url(finish_next(store, make_unscored_detection()))).json()
    assert (refused["verdict"], refused["result"]["code"], refused["links"]["media"]) == ("not scored", "media.not-media", None)


def test_records_of_other_users_are_not_found(create_client: CreateClient, store: Store) -> None:
    other = insert_record(store, owner="ben", file="ben.mp4")
    insert_record(store, owner="ann", file="ann.mp4")
    ann = create_client("ann")
    for url in (detection_url(other), f"{detection_url(other)}/events", f"{detection_url(other)}/media", f"{DETECTIONS_URL}/{'0' * 31}f"):
        assert_problem(ann.get(url), 404, "request.not-found")
    assert_problem(ann.delete(detection_url(other)), 404, "request.not-found")
    assert_problem(ann.post(f"{detection_url(other)}/feedback", json={"label": "real"}), 404, "request.not-found")
    assert_problem(ann.get(f"{DETECTIONS_URL}/no-id"), 422, "request.invalid")
    assert file_names(ann) == ["ann.mp4"]
    assert file_names(create_client("rea")) == file_names(create_client("ada")) == ["ann.mp4", "ben.mp4"]
    assert file_names(create_client("ada", "analyst")) == []


def test_pages_of_a_list(ann: TestClient, store: Store) -> None:
    for number in range(7):
        insert_record(store, file=f"{number}.mp4")
    listed: list[str] = []
    query: dict[str, object] = {"limit": 3}
    while True:
        page = ann.get(DETECTIONS_URL, params=query).json()  # type: ignore[arg-type]
        listed += [item["file"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert listed == [f"{number}.mp4" for number in reversed(range(7))]
    assert len(file_names(ann, limit=7)) == 7
    assert ann.get(DETECTIONS_URL, params={"limit": 7}).json()["next_cursor"] is None


def test_invalid_cursors_are_refused(ann: TestClient, store: Store) -> None:
    for cursor in ("abc", "é" * 16, "A" * 64, "=" * 24):
        assert_problem(ann.get(DETECTIONS_URL, params={"cursor": cursor}), 422, "request.invalid")
        with pytest.raises(RequestError):
            detection_records.list_records(store, User("ann", "analyst"), detection_records.RecordFilter(), 1, cursor)


def test_filters(ann: TestClient, store: Store) -> None:
    for file, day, batch in (("a.MP4", "01", "a" * 16), ("b.mp4", "02", "b" * 16), ("c+.png", "03", "")):
        insert_record(store, file=file, batch=batch, created=f"2026-02-{day}T12:00:00.000+00:00")
    finish_next(store, make_result(model="2"))
    finish_next(store, make_unscored_detection())
    assert file_names(ann, file="MP4") == ["b.mp4", "a.MP4"]
    assert file_names(ann, file="+.") == ["c+.png"]
    assert file_names(ann, batch="b" * 16) == ["b.mp4"]
    assert file_names(ann, verdict="ai-generated") == file_names(ann, model="2") == ["a.MP4"]
    assert file_names(ann, verdict="not scored") == ["b.mp4"]
    assert file_names(ann, since="2026-02-02T12:00:00Z") == ["c+.png", "b.mp4"]
    assert file_names(ann, since="2026-02-02T14:00:00+02:00", until="2026-02-03") == ["b.mp4"]
    assert file_names(ann, until="2026-02-02T12:00:00") == ["a.MP4"]
    assert (
        file_names(ann, verdict="real")
        == file_names(ann, since="9999-12-31T23:59:59-14:00")
        == file_names(ann, until="0001-01-01T00:00:00+14:00")
        == []
    )
    for query in ({"verdict": "fake"}, {"limit": 0}, {"limit": 201}, {"since": "soon"}, {"since": "5"}, {"batch": "x"}, {"file": "a\0"}):
        assert_problem(ann.get(DETECTIONS_URL, params=query), 422, "request.invalid")  # type: ignore[arg-type]


@tries(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strategies.text(strategies.characters(exclude_categories=["C"]), min_size=1, max_size=20))
def test_a_part_of_a_name_is_matched_literally(ann: TestClient, store: Store, text: str) -> None:
    matching = insert_record(store, file=f"x{text}y")
    other = insert_record(store, file="another")
    assert f"x{text}y" in file_names(ann, file=text)
    assert "another" not in file_names(ann, file=f"x{text}")
    store.delete(DetectionRecord, [matching.key, other.key])


def test_delete(create_client: CreateClient, store: Store, settings: Settings) -> None:
    ann, ada = create_client("ann"), create_client("ada")
    detection_id = ann.post(DETECTIONS_URL, files={"file": ("a", b"x")}).json()["detection_id"]
    running = upload_queue.claim(store, "worker")
    assert running
    assert running.key == detection_id
    assert_problem(create_client("rea").delete(detection_url(running)), 403, "request.forbidden")
    assert stored_files(settings)
    deleted = ann.delete(detection_url(running))
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert not stored_files(settings)
    assert not upload_queue.renew_claim(store, running, Progress(step="decoding"))
    assert_problem(ann.delete(detection_url(running)), 404, "request.not-found")
    assert ada.delete(detection_url(insert_record(store, owner="ben"))).status_code == 204


def read_events(live: tuple[str, int], key: str, record: DetectionRecord) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the names and data of the server-sent events as they arrive."""
    headers = {"Authorization": f"Bearer {key}", "Last-Event-ID": "7"}
    with httpx2.stream("GET", f"http://{live[0]}:{live[1]}{detection_url(record)}/events", headers=headers, timeout=30) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        event = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield event, json.loads(line.removeprefix("data: "))


def test_each_step_is_sent_once_and_the_result_ends_the_events(live: tuple[str, int], live_key: str, store: Store) -> None:
    followed = insert_record(store)
    claimed = upload_queue.claim(store, "worker")
    assert claimed
    events = []
    for event, data in read_events(live, live_key, followed):
        events.append((event, data))
        if event == "received":
            upload_queue.renew_claim(store, claimed, Progress(step="decoding", count=1, total=2))
        elif event == "decoding":
            upload_queue.renew_claim(store, claimed, Progress(step="decoding", count=1, total=2))  # no change
            time.sleep(0.4)
            upload_queue.renew_claim(store, claimed, Progress(step="scoring"))
        elif event == "scoring":
            upload_queue.finish(store, claimed, make_result(), shadow=False)
    assert [event for event, _ in events] == ["received", "decoding", "scoring", "done"]
    assert events[1][1] == {"step": "decoding", "count": 1, "total": 2}
    assert events[-1][1]["verdict"] == "ai-generated"
    assert events[-1][1]["links"]["self"] == detection_url(followed)  # type: ignore[index]
    assert [event for event, _ in read_events(live, live_key, followed)] == ["done"]


def test_deleting_the_record_ends_the_events(live: tuple[str, int], live_key: str, store: Store) -> None:
    followed = insert_record(store)
    events = []
    for event, data in read_events(live, live_key, followed):
        events.append((event, data))
        store.delete(DetectionRecord, [followed.key])
    assert events == [("received", {"step": "received", "count": 0, "total": 0}), ("deleted", {"detection_id": followed.key})]


def test_a_waiting_client_is_told_that_the_record_was_deleted(ann: TestClient, store: Store) -> None:
    def delete_record() -> None:
        while not (keys := store.find_keys(DetectionRecord)):
            time.sleep(0.02)
        store.delete(DetectionRecord, keys)

    deletion = threading.Thread(target=delete_record)
    deletion.start()
    assert_problem(ann.post(DETECTIONS_URL, files={"file": ("a", b"x")}, params={"wait": 30}), 404, "request.not-found")
    deletion.join()


def test_time_filters_include_the_start_and_exclude_the_end(ann: TestClient) -> None:
    for name in "abc":
        ann.post(DETECTIONS_URL, files={"file": (name, b"x")})
    for item in ann.get(DETECTIONS_URL).json()["items"]:
        created = datetime.fromisoformat(item["created"])
        assert abs((datetime.now(UTC) - created).total_seconds()) < 60
        assert item["file"] in file_names(ann, since=item["created"])
        assert item["file"] not in file_names(ann, until=item["created"])
        assert item["file"] in file_names(ann, until=(created + timedelta(milliseconds=1)).isoformat())
