"""Handing files in: what an analyst sees from the choice of a file to its answer."""

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.media_files import Files, field_clips

ANSWER = re.compile(r"/detections/[0-9a-f]{32}$")


def hand_in(page: Page, *files: Path) -> None:
    page.get_by_label("Drop files here").set_input_files(list(files))


@pytest.mark.parametrize(("name", "headline"), [("bright", "Looks AI-generated"), ("dark", "Looks real"), ("photo", "Can't tell")])
def test_a_file_is_checked_and_its_answer_opens(visit: Visit, files: Files, name: str, headline: str) -> None:
    page = visit("/")
    file = getattr(files, name)
    hand_in(page, file)
    expect(page.get_by_role("list").filter(has_text=file.name).first).to_be_visible()
    page.wait_for_url(ANSWER)
    expect(page.get_by_role("heading", level=1)).to_have_text(headline)
    expect(page.get_by_text("probability that it is AI-generated")).to_be_visible()
    expect(page.get_by_role("heading", name="What the file says of its origin")).to_be_visible()
    expect(page.get_by_role("heading", name="What the detector can't judge")).to_be_visible()


@pytest.mark.parametrize("label", ["real", "fake"])
def test_a_clip_of_the_field_is_checked(visit: Visit, field_data: Path, label: str) -> None:
    page = visit("/")
    hand_in(page, field_clips(field_data)[label])
    page.wait_for_url(ANSWER)
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Looks|Can't tell"))
    expect(page.locator("#player")).to_be_visible()


def test_the_steps_are_told_as_they_pass(visit: Visit, files: Files) -> None:
    page = visit("/")
    page.evaluate(
        """() => { window.told = []; const live = document.querySelector("#live");
        new MutationObserver(() => told.push(live.textContent)).observe(live, { childList: true, characterData: true, subtree: true }); }"""
    )
    hand_in(page, files.dark, files.wave)
    expect(page.get_by_text("All of them in one table")).to_be_visible()
    expect(page.locator(".queue .badge")).to_have_count(2)
    told = page.evaluate("window.told")
    assert any(said.startswith("dark.mp4: ") for said in told)
    assert "dark.mp4: real" in told
    assert told[-1] == "2 of 2 files are done."


def test_what_is_no_media_says_why_and_what_to_do(visit: Visit, files: Files) -> None:
    page = visit("/")
    hand_in(page, files.broken, files.empty, files.page)
    expect(page.locator(".queue .badge.not-scored")).to_have_count(3)
    for name, reason in (("empty.mp4", "is empty"), ("page.mp4", "is no image or video"), ("broken.mp4", "Copy or download it again")):
        expect(page.locator(".queue li", has_text=name)).to_contain_text(reason)
    page.get_by_role("link", name="Open the answer on page.mp4").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Could not be checked")
    expect(page.get_by_text("which says nothing of whether it is real")).to_be_visible()


def test_two_at_once_are_a_batch_with_a_table_that_fills_itself(visit: Visit, files: Files) -> None:
    page = visit("/")
    hand_in(page, files.bright, files.dark)
    page.get_by_role("link", name="All of them in one table").click()
    expect(page.get_by_text("All done.")).to_be_visible()
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="bright.mp4")).to_contain_text("AI-generated")
    expect(rows.filter(has_text="dark.mp4")).to_contain_text("real")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("file,verdict,probability,low,high,")
    assert sorted(line.split(",")[:2] for line in lines[1:]) == [["bright.mp4", "ai-generated"], ["dark.mp4", "real"]]


def test_files_are_dropped_anywhere(visit: Visit, files: Files) -> None:
    page = visit("/")
    page.evaluate(
        """data => { const all = new DataTransfer(), bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
        all.items.add(new File([bytes], "dropped.png"));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: all, bubbles: true, cancelable: true })); }""",
        base64.b64encode(files.photo.read_bytes()).decode(),
    )
    page.wait_for_url(ANSWER)
    expect(page.locator(".verdict .file")).to_have_text("dropped.png")


def test_a_full_queue_is_waited_for_and_a_refusal_is_a_sentence(visit: Visit, files: Files, complaints: list[str]) -> None:
    page = visit("/")
    full = {"status": 429, "headers": {"Retry-After": "1"}, "body": '{"detail": "queue: is full: 200 files wait."}'}
    page.route("**/api/v1/detections", lambda route: route.fulfill(**full), times=1)
    hand_in(page, files.dark)
    expect(page.locator(".queue .step")).to_contain_text("It is sent again in 1 s.")
    page.wait_for_url(ANSWER)
    page.goto("/")
    page.route("**/api/v1/detections", lambda route: route.fulfill(status=507, body='{"detail": "disk: is full."}'))
    hand_in(page, files.dark)
    expect(page.locator(".queue .failed")).to_have_text("disk: is full.")
    assert all("the server responded with a status of" in said for said in complaints)
    complaints.clear()


def test_a_file_that_is_too_large_is_not_even_sent(visit: Visit, files: Files) -> None:
    page = visit("/history")

    def with_a_small_limit(route: Route) -> None:
        shown = route.fetch()
        route.fulfill(response=shown, body=shown.text().replace('data-largest="512000000"', 'data-largest="10"'))

    page.route(lambda url: url.endswith("/"), with_a_small_limit)
    page.route("**/api/**", lambda route: pytest.fail(f"{route.request.url} was asked"))
    page.goto("/")
    hand_in(page, files.dark)
    expect(page.locator(".queue .failed")).to_contain_text("Is larger than the 512\N{NO-BREAK SPACE}MB that one file may have.")


def test_without_scripts_a_form_does_it_and_the_page_refreshes_itself(visit: Visit, files: Files) -> None:
    page = visit("/", java_script_enabled=False)
    page.get_by_label("Choose a file").set_input_files(files.bright)
    page.get_by_role("button", name="Check it").click()
    page.wait_for_url(ANSWER)
    expect(page.get_by_role("heading", level=1)).to_have_text("Looks AI-generated")
    expect(page.locator(".moments svg").first).to_be_visible()
    assert not page.get_by_text("Point at it").is_visible()
