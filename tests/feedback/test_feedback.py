"""Two who agree make an item; one alone, one twice, and two who disagree do not."""

import shutil
from pathlib import Path

import pytest
from feedback_photos import draw
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from realframe.cli import app
from realframe.data.layouts import read_layout
from realframe.errors import DatasetError, NotMediaError, RealframeError
from realframe.feedback import accept
from realframe.feedback.accept import accept_agreed
from realframe.feedback.feedback_labels import LabelCase, add_vote, cases
from realframe.files import sha256_of
from realframe.settings import Settings
from realframe.store.repository import Store
from realframe.store.user_documents import Feedback, RegressionItem


def _say(store: Store, settings: Settings, file: Path, label: str, by: str) -> str:
    return add_vote(store, settings.feedback_dir, file, label, f"{by} knows", by).state  # type: ignore[arg-type]


def test_two_people_who_agree_bring_a_file_into_the_originals_and_the_regression_set(store: Store, settings: Settings, photo: Path) -> None:
    assert _say(store, settings, photo, "real", "anna") == "waits"
    assert accept_agreed(store, settings) == 0
    assert _say(store, settings, photo, "real", "ben") == "agreed"
    photo.unlink()  # the file was kept
    assert accept_agreed(store, settings) == 1
    (entry,) = read_layout(settings.raw_dir)
    assert (entry.label, entry.source) == ("real", "feedback")
    (item,) = accept.items(store)
    assert (item.by, item.why, item.file) == ("anna, ben", "anna knows; ben knows", "holiday.PNG")
    kept = settings.regression_dir / item.kept
    assert item.kept == f"real/{item.media_id}.png"
    assert sha256_of(kept) == item.media_id == sha256_of(settings.raw_dir / entry.path)
    assert [case.state for case in cases(store)] == ["taken in"]
    assert accept_agreed(store, settings) == 0


def test_the_same_person_twice_counts_once_and_may_think_again(store: Store, settings: Settings, photo: Path) -> None:
    assert _say(store, settings, photo, "fake", "anna") == "waits"
    assert _say(store, settings, photo, "fake", "anna") == "waits"
    assert _say(store, settings, photo, "real", "ben") == "disputed"
    assert _say(store, settings, photo, "real", "anna") == "agreed"
    assert len(store.keys(Feedback)) == 2


def test_one_who_disagrees_blocks_any_number_who_agree(store: Store, settings: Settings, photo: Path) -> None:
    for by in ("anna", "ben", "cem"):
        _say(store, settings, photo, "real", by)
    assert _say(store, settings, photo, "fake", "dora") == "disputed"
    assert accept_agreed(store, settings) == 0
    assert not settings.raw_dir.exists()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["real", "fake"])), min_size=1, max_size=6))
@hypothesis_settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_a_case_is_agreed_by_two_and_disputed_by_one(said: list[tuple[str, str]]) -> None:
    latest = dict(said)
    opinions = tuple(
        Feedback(feedback_id=by, media_id="0" * 64, file="a", kept="a", label=label, why="", by=by, at="")  # type: ignore[arg-type]
        for by, label in latest.items()
    )
    state = LabelCase("0" * 64, opinions, taken=False).state
    assert (state == "disputed") == (set(latest.values()) == {"real", "fake"})
    assert (state == "agreed") == (len(latest) >= 2 and len(set(latest.values())) == 1)


def test_what_the_originals_call_otherwise_waits_and_the_rest_is_taken(
    store: Store, settings: Settings, photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = draw(tmp_path / "other.png", 2)
    (settings.raw_dir / "fake").mkdir(parents=True)
    shutil.copy(photo, settings.raw_dir / "fake" / "x.png")
    for by in ("anna", "ben"):
        _say(store, settings, photo, "real", by)
        _say(store, settings, other, "fake", by)
    assert accept_agreed(store, settings) == 1
    assert "feedback by anna, ben is not taken in" in caplog.text and "labelled fake and real" in caplog.text
    assert [item.media_id for item in accept.items(store)] == [sha256_of(other)]
    assert {case.state for case in cases(store)} == {"agreed", "taken in"}


def test_what_is_no_media_is_refused(store: Store, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "page.mp4").write_text("<!doctype html>")
    with pytest.raises(NotMediaError):
        _say(store, settings, tmp_path / "page.mp4", "real", "anna")
    assert not settings.feedback_dir.exists()


def test_a_reviewer_adds_directly_and_once(settings: Settings, photo: Path, store: Store) -> None:
    command = ["regression", "add", str(photo), "--by", "rita", "-m", "was wrong"]
    assert CliRunner().invoke(app, [*command, "--label", "real"]).exit_code == 0
    again = CliRunner().invoke(app, [*command, "--label", "real", "--by", "someone else"])
    assert "(rita: was wrong)" in again.stdout
    listed = CliRunner().invoke(app, ["regression", "list"]).stdout
    assert "rita" in listed and "real" in listed
    refused = CliRunner().invoke(app, [*command, "--label", "fake"])
    assert isinstance(refused.exception, DatasetError) and "rita" in str(refused.exception)
    assert [path.name for path in settings.regression_dir.rglob("*.png")] == [f"{sha256_of(photo)}.png"]


def test_the_list_shows_who_says_what(settings: Settings, photo: Path, store: Store) -> None:
    assert "Nobody has said anything" in CliRunner().invoke(app, ["feedback", "list"]).stdout
    for label, by in (("real", "anna"), ("fake", "ben")):
        assert CliRunner().invoke(app, ["feedback", "add", str(photo), "--label", label, "--by", by, "-m", "[why]"]).exit_code == 0
    listed = CliRunner().invoke(app, ["feedback", "list"]).stdout
    assert "disputed" in listed and "real: anna, [why]" in listed and "fake: ben" in listed


def test_what_was_taken_down_is_not_taken_again(settings: Settings, photo: Path, store: Store, empty_registry: Path) -> None:
    for by in ("anna", "ben"):
        _say(store, settings, photo, "real", by)
    accept_agreed(store, settings)
    media_id = sha256_of(photo)
    done = CliRunner().invoke(app, ["takedown", media_id, "-m", "asked to", "--yes"])
    assert done.exit_code == 0, done.output
    assert not [path for folder in (settings.raw_dir, settings.regression_dir, settings.feedback_dir) for path in folder.rglob("*.png")]
    assert not store.keys(RegressionItem) and not store.keys(Feedback)
    for command in (["feedback", "add"], ["regression", "add"]):
        refused = CliRunner().invoke(app, [*command, str(photo), "--label", "real", "-m", "why"]).exception
        assert isinstance(refused, RealframeError) and refused.code == "media.taken-down"
    offered = CliRunner().invoke(app, ["ingest", str(photo), "--label", "real"])
    assert "0 taken in" in offered.stdout and "was taken down on request" in offered.stdout


def test_an_empty_set_says_how_to_fill_it(settings: Settings, store: Store) -> None:
    assert "The set is empty" in CliRunner().invoke(app, ["regression", "list"]).stdout
