"""Feedback: votes on labels, when they are accepted, and the regression set."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from realframe.cli import app
from realframe.data.ingest import ingest
from realframe.data.layouts import read_layout, read_originals
from realframe.errors import DatasetError, NotMediaError, NotScoredError, RealframeError
from realframe.feedback import accepted_items
from realframe.feedback.accepted_items import accept_agreed
from realframe.feedback.feedback_labels import LabelCase, add_vote, list_cases
from realframe.files import compute_sha256
from realframe.settings import Settings
from realframe.store.document_base import format_current_time
from realframe.store.repository import Store
from realframe.store.user_documents import Feedback, Prediction, RegressionItem
from tests.feedback.sample_photos import write_photo


def _vote(store: Store, settings: Settings, file: Path, label: str, by: str) -> str:
    return add_vote(store, settings.feedback_dir, file, label, f"{by} knows", by, verdict="uncertain").state  # type: ignore[arg-type]


def _store_prediction(store: Store, file: Path) -> None:
    sha256 = compute_sha256(file)
    scored = {"file": file.name, "kind": "image", "model": 1, "verdict": "real", "probability": 0.1, "score": 0.1}
    facts = {**scored, "created": format_current_time()}
    store.upsert([Prediction(prediction_id=f"1-{sha256}", sha256=sha256, features="", **facts)])  # type: ignore[arg-type]


def test_only_files_that_were_scored_can_be_labeled(store: Store, settings: Settings, photo: Path) -> None:
    for verdict in ("", "not scored"):
        with pytest.raises(NotScoredError, match=r"was not scored.*realframe detect"):
            add_vote(store, settings.feedback_dir, photo, "real", "saw it", "anna", verdict=verdict)
    refused = CliRunner().invoke(app, ["feedback", "add", str(photo), "--label", "real", "-m", "why"]).exception
    assert isinstance(refused, NotScoredError)
    assert not store.find_keys(Feedback)
    _store_prediction(store, photo)
    assert add_vote(store, settings.feedback_dir, photo, "real", "saw it", "anna").state == "waiting"


def test_a_label_of_two_people_adds_the_file_to_the_originals_and_the_regression_set(store: Store, settings: Settings, photo: Path) -> None:
    assert _vote(store, settings, photo, "real", "anna") == "waiting"
    assert accept_agreed(store, settings) == 0
    assert _vote(store, settings, photo, "real", "ben") == "agreed"
    photo.unlink()  # the stored copy is used
    assert accept_agreed(store, settings) == 1
    (entry,) = read_layout(settings.raw_dir)
    assert (entry.label, entry.source) == ("real", "feedback")
    (item,) = accepted_items.list_regression_items(store)
    assert (item.added_by, item.reason, item.file) == ("anna, ben", "anna knows; ben knows", "holiday.PNG")
    copy = settings.regression_dir / item.path
    assert item.path == f"real/{item.media_id}.png"
    assert compute_sha256(copy) == item.media_id == compute_sha256(settings.raw_dir / entry.path)
    assert [case.state for case in list_cases(store)] == ["accepted"]
    assert accept_agreed(store, settings) == 0


@pytest.mark.parametrize("name", ["photo", "photo.mp4", "photo.exe", "photo.tar.gz"])
def test_a_copy_has_the_suffix_of_its_content(store: Store, settings: Settings, photo: Path, tmp_path: Path, name: str) -> None:
    file = photo.rename(tmp_path / name)
    for by in ("anna", "ben"):
        _vote(store, settings, file, "real", by)
    assert accept_agreed(store, settings) == 1
    (item,) = accepted_items.list_regression_items(store)
    assert item.path == f"real/{item.media_id}.png"
    assert [path.name for path in settings.feedback_dir.iterdir()] == [f"{item.media_id}.png"]


def test_a_second_vote_by_a_person_replaces_the_first(store: Store, settings: Settings, photo: Path) -> None:
    assert _vote(store, settings, photo, "fake", "anna") == "waiting"
    assert _vote(store, settings, photo, "fake", "anna") == "waiting"
    assert _vote(store, settings, photo, "real", "ben") == "disputed"
    assert _vote(store, settings, photo, "real", "anna") == "agreed"
    assert len(store.find_keys(Feedback)) == 2


def test_one_person_who_disagrees_blocks_the_file(store: Store, settings: Settings, photo: Path) -> None:
    for by in ("anna", "ben", "cem"):
        _vote(store, settings, photo, "real", by)
    assert _vote(store, settings, photo, "fake", "dora") == "disputed"
    assert accept_agreed(store, settings) == 0
    assert not settings.raw_dir.exists()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["real", "fake"])), min_size=1, max_size=6))
@hypothesis_settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_two_people_agree_and_one_disputes(votes: list[tuple[str, str]]) -> None:
    latest = dict(votes)
    feedback = tuple(
        Feedback(feedback_id=by, media_id="0" * 64, file="a", stored_name="a", label=label, reason="", person=by, created="")  # type: ignore[arg-type]
        for by, label in latest.items()
    )
    state = LabelCase("0" * 64, feedback, is_accepted=False).state
    assert (state == "disputed") == (set(latest.values()) == {"real", "fake"})
    assert (state == "agreed") == (len(latest) >= 2 and len(set(latest.values())) == 1)


def test_a_label_of_two_people_corrects_the_originals_and_stays(
    store: Store, settings: Settings, photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "inbox"
    for name in ("fake/sora/x.png", "fake/sora/y.png"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, source / name) if name.endswith("x.png") else write_photo(source / name, 3)
    (source / "labels.csv").write_text("path,group,split\nfake/sora/x.png,g1,test\n")
    ingest(source, settings.raw_dir, cache_dir=settings.cache_dir)
    (settings.raw_dir / "fake").mkdir()
    shutil.copy(write_photo(tmp_path / "other.png", 2), settings.raw_dir / "fake" / "z.png")  # put there by hand
    for by in ("anna", "ben"):
        _vote(store, settings, photo, "real", by)
        _vote(store, settings, tmp_path / "other.png", "real", by)
    assert accept_agreed(store, settings) == 2 and "not accepted" not in caplog.text

    def facts() -> dict[str, tuple[str, str, str, str, str]]:
        entries = read_originals(settings.raw_dir)
        return {Path(e.path).name: (e.label, e.generator, e.source, e.group, e.split) for e in entries}

    corrected = {
        "x.png": ("real", "", "feedback", "g1", "test"),
        "y.png": ("fake", "sora", "", "", ""),
        "z.png": ("real", "", "feedback", "", ""),
    }
    assert facts() == corrected
    assert {item.label for item in accepted_items.list_regression_items(store)} == {"real"}
    assert {case.state for case in list_cases(store)} == {"accepted"}
    ingest(source, settings.raw_dir, cache_dir=settings.cache_dir)  # the inbox still says fake: the next run neither fails nor undoes it
    assert facts() == corrected


def test_a_file_that_cannot_be_accepted_is_named_and_stays(
    store: Store, settings: Settings, photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for by in ("anna", "ben"):
        _vote(store, settings, photo, "real", by)
    next(settings.feedback_dir.iterdir()).unlink()
    assert accept_agreed(store, settings) == 0
    assert "feedback by anna, ben is not accepted" in caplog.text
    assert [case.state for case in list_cases(store)] == ["agreed"]


def test_a_file_that_is_not_media_is_refused(store: Store, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "page.mp4").write_text("<!doctype html>")
    with pytest.raises(NotMediaError):
        _vote(store, settings, tmp_path / "page.mp4", "real", "anna")
    assert not list(settings.feedback_dir.iterdir())


def test_a_reviewer_adds_a_regression_item_once(settings: Settings, photo: Path, store: Store) -> None:
    command = ["regression", "add", str(photo), "--user", "rita", "-m", "was wrong"]
    assert CliRunner().invoke(app, [*command, "--label", "real"]).exit_code == 0
    again = CliRunner().invoke(app, [*command, "--label", "real", "--user", "someone else"])
    assert "(rita: was wrong)" in again.stdout
    listed = CliRunner().invoke(app, ["regression", "list"]).stdout
    assert "rita" in listed and "real" in listed
    refused = CliRunner().invoke(app, [*command, "--label", "fake"])
    assert isinstance(refused.exception, DatasetError) and "rita" in str(refused.exception)
    assert [path.name for path in settings.regression_dir.rglob("*.png")] == [f"{compute_sha256(photo)}.png"]


def test_the_list_shows_each_vote(settings: Settings, photo: Path, store: Store) -> None:
    _store_prediction(store, photo)
    assert "There are no labels yet" in CliRunner().invoke(app, ["feedback", "list"]).stdout
    for label, by in (("real", "anna"), ("fake", "ben")):
        assert CliRunner().invoke(app, ["feedback", "add", str(photo), "--label", label, "--user", by, "-m", "[why]"]).exit_code == 0
    listed = CliRunner().invoke(app, ["feedback", "list"]).stdout
    assert "disputed" in listed and "real: anna, [why]" in listed and "fake: ben" in listed


@pytest.mark.slow
def test_a_file_that_was_taken_down_is_refused(settings: Settings, photo: Path, store: Store, empty_registry: Path, root: Path) -> None:
    for name in ("dvc.yaml", "pyproject.toml"):  # what makes a folder a checkout
        shutil.copy(root / name, settings.root)
    for by in ("anna", "ben"):
        _vote(store, settings, photo, "real", by)
    accept_agreed(store, settings)
    media_id = compute_sha256(photo)
    done = CliRunner().invoke(app, ["takedown", media_id, "-m", "asked to", "--yes"])
    assert done.exit_code == 0, done.output
    assert not [path for folder in (settings.raw_dir, settings.regression_dir, settings.feedback_dir) for path in folder.rglob("*.png")]
    assert not store.find_keys(RegressionItem) and not store.find_keys(Feedback)
    for command in (["feedback", "add"], ["regression", "add"]):
        refused = CliRunner().invoke(app, [*command, str(photo), "--label", "real", "-m", "why"]).exception
        assert isinstance(refused, RealframeError) and refused.code == "media.taken-down"
    offered = CliRunner().invoke(app, ["ingest", str(photo), "--label", "real"])
    assert "0 copied" in offered.stdout and "was taken down on request" in offered.stdout


def test_an_empty_regression_set_has_a_hint(settings: Settings, store: Store) -> None:
    assert "The regression set is empty" in CliRunner().invoke(app, ["regression", "list"]).stdout
