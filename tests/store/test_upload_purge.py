"""`realframe uploads purge`: what it deletes, what it keeps, and that it asks first."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from realframe.cli import app
from realframe.errors import MetadataError
from realframe.feedback import feedback_labels
from realframe.settings import Settings
from realframe.store import accounts, detection_records
from realframe.store.detection_documents import DetectionRecord
from realframe.store.repository import Store
from realframe.store.user_documents import Feedback, Prediction
from tests.detection_factory import make_detection

JPEG = b"\xff\xd8\xff\xe0" + b"x" * 996


def add_upload(store: Store, settings: Settings, days: float, sha256: str, owner: str = "ada", state: str = "done") -> DetectionRecord:
    """Store an upload with its file, its pictures and its prediction."""
    arrived = time.time() - days * 86400
    created = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")
    record = DetectionRecord(
        detection_id=f"{int(arrived * 1e9):016x}{'ab' * 8}",
        owner=owner,
        file="private.jpg",
        bytes=len(JPEG),
        created=created,
        state=state,  # type: ignore[arg-type]
        result=make_detection("private.jpg", sha256=sha256) if state == "done" else None,
    )
    folder = settings.uploads_dir / record.key
    folder.mkdir(parents=True)
    for name in ("media", "frames.jpg", "heat.jpg"):
        (folder / name).write_bytes(JPEG)
    prediction = Prediction(
        prediction_id=f"3-{sha256}",
        sha256=sha256,
        file="private.jpg",
        kind="image",
        model=3,
        verdict="real",
        probability=0.1,
        score=0.1,
        features="",
        created=created,
    )
    store.insert(record)
    store.upsert([prediction])
    return record


def purge(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["uploads", "purge", *arguments], input=answer)


def digests(number: int) -> str:
    return f"{number:064x}"


def test_purge_deletes_files_records_and_predictions_of_old_uploads(store: Store, settings: Settings) -> None:
    add_upload(store, settings, 40, digests(1))
    new = add_upload(store, settings, 2, digests(2))
    waiting = add_upload(store, settings, 50, digests(3), state="queued")
    result = purge("--older-than", "30", "--yes")
    assert (
        result.exit_code == 0
        and "1 upload, 1\xa0kB of files" in result.output
        and "Deleted 1 upload, and from the stored predictions 1." in result.output
    )
    assert {folder.name for folder in settings.uploads_dir.iterdir()} == {new.key, waiting.key}
    assert store.find_keys(DetectionRecord) == {new.key, waiting.key}
    assert store.find_keys(Prediction, {"sha256": digests(1)}) == set() and store.find_keys(Prediction, {"sha256": digests(2)})


def test_purge_keeps_the_prediction_that_another_upload_of_the_same_file_needs(store: Store, settings: Settings) -> None:
    add_upload(store, settings, 40, digests(1))
    add_upload(store, settings, 2, digests(1), owner="ben")
    assert purge("--older-than", "30", "--yes").exit_code == 0
    assert store.find_keys(Prediction) == {f"3-{digests(1)}"}
    assert purge("--older-than", "0", "--yes").exit_code == 0
    assert store.find_keys(Prediction) == set()


def test_purge_of_one_owner_leaves_the_files_of_others(store: Store, settings: Settings) -> None:
    add_upload(store, settings, 40, digests(1), owner="ada")
    other = add_upload(store, settings, 40.5, digests(2), owner="ben")
    assert purge("--older-than", "0", "--owner", "ada", "--yes").exit_code == 0
    assert store.find_keys(DetectionRecord) == {other.key}


def test_without_yes_it_asks_and_with_json_it_only_lists(store: Store, settings: Settings) -> None:
    record = add_upload(store, settings, 40, digests(1))
    refused = purge("--older-than", "30", answer="n\n")
    assert refused.exit_code == 1 and "Delete them, with their results?" in refused.output
    listed = json.loads(purge("--older-than", "30", "--json").stdout)
    assert listed["deleted"] == 0 and [upload["detection_id"] for upload in listed["uploads"]] == [record.key]
    assert (settings.uploads_dir / record.key / "media").exists() and store.get(DetectionRecord, record.key)
    assert purge("--yes").exit_code == 2  # an age is required
    done = json.loads(purge("--older-than", "30", "--json", "--yes").stdout)
    assert (done["deleted"], done["predictions"], done["bytes"]) == (1, 1, len(JPEG))


def test_a_labeled_file_and_its_votes_stay(store: Store, settings: Settings) -> None:
    record = add_upload(store, settings, 40, digests(1))
    media = settings.uploads_dir / record.key / "media"
    case = feedback_labels.add_vote(store, settings.feedback_dir, media, "real", "mine", "ada", name="private.jpg", verdict="real")
    assert purge("--older-than", "0", "--yes").exit_code == 0
    assert store.find_keys(Feedback, {"media_id": case.media_id}) and list(settings.feedback_dir.iterdir())


def test_a_purge_of_many_uploads_deletes_all(store: Store, settings: Settings) -> None:
    for number in range(205):
        add_upload(store, settings, 40 + number / 100, digests(number))
    assert json.loads(purge("--older-than", "30", "--json", "--yes").stdout)["deleted"] == 205
    assert not store.find_keys(DetectionRecord) and not store.find_keys(Prediction) and not list(settings.uploads_dir.iterdir())


def test_a_folder_that_cannot_be_deleted_is_named_and_its_record_stays(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = add_upload(store, settings, 40, digests(1))

    def refuse(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("realframe.store.detection_records.shutil.rmtree", refuse)
    with pytest.raises(MetadataError, match=rf"{record.key}: cannot be deleted: Permission denied"):
        purge_error = purge("--older-than", "30", "--yes")
        raise purge_error.exception or AssertionError(purge_error.output)
    assert store.get(DetectionRecord, record.key)


def test_deleting_one_upload_deletes_its_prediction(store: Store, settings: Settings) -> None:
    accounts.add_account(store, "ada", "analyst", "correct horse battery")
    record = add_upload(store, settings, 1, digests(1))
    user = accounts.User("ada", "analyst")
    detection_records.delete_record(store, settings, user, record)
    assert not store.find_keys(Prediction) and not (settings.uploads_dir / record.key).exists()
