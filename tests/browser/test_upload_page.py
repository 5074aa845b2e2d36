"""The upload page, from choosing a file to its result."""

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.media_files import UploadFiles, field_clips

RESULT_URL = re.compile(r"/detections/[0-9a-f]{32}$")


def upload(page: Page, *files: Path) -> None:
    page.get_by_label("Drop files here").set_input_files(list(files))


@pytest.mark.parametrize(("name", "headline"), [("bright", "Looks AI-generated"), ("dark", "Looks real"), ("photo", "Uncertain")])
def test_a_file_is_uploaded_and_its_result_opens(open_page: OpenPage, files: UploadFiles, name: str, headline: str) -> None:
    page = open_page("/")
    file = getattr(files, name)
    upload(page, file)
    expect(page.get_by_role("list").filter(has_text=file.name).first).to_be_visible()
    page.wait_for_url(RESULT_URL)
    expect(page.get_by_role("heading", level=1)).to_have_text(headline)
    expect(page.get_by_text("probability that it is AI-generated")).to_be_visible()
    expect(page.get_by_role("heading", name="Checks of the file itself")).to_be_visible()
    expect(page.get_by_role("heading", name="What the detector cannot judge")).to_be_visible()


@pytest.mark.parametrize("label", ["real", "fake"])
def test_a_field_clip_is_checked(open_page: OpenPage, field_data: Path, label: str) -> None:
    page = open_page("/")
    upload(page, field_clips(field_data)[label])
    page.wait_for_url(RESULT_URL)
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Looks|Uncertain"))
    expect(page.locator("#player")).to_be_visible()


def test_the_steps_are_announced_to_screen_readers(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/")
    page.evaluate(
        """() => { window.messages = []; const announcer = document.querySelector("#announcer");
        new MutationObserver(() => messages.push(announcer.textContent)).observe(
        announcer, { childList: true, characterData: true, subtree: true }); }"""
    )
    upload(page, files.dark, files.wave)
    expect(page.get_by_text("All results in one table")).to_be_visible()
    expect(page.locator(".queue .badge")).to_have_count(2)
    messages = page.evaluate("window.messages")
    assert any(message.startswith("dark.mp4: ") for message in messages)
    assert "dark.mp4: real" in messages
    assert messages[-1] == "2 of 2 files are done."


def test_invalid_files_show_the_reason(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/")
    upload(page, files.broken, files.empty, files.page)
    expect(page.locator(".queue .badge.not-scored")).to_have_count(3)
    for name, reason in (("empty.mp4", "is empty"), ("page.mp4", "is not an image or video"), ("broken.mp4", "Copy or download it again")):
        expect(page.locator(".queue li", has_text=name)).to_contain_text(reason)
    page.get_by_role("link", name="Open the result of page.mp4").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Could not be checked")
    expect(page.get_by_text("this says nothing about whether it is real")).to_be_visible()


def test_two_files_are_a_batch_whose_table_refreshes_itself(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/")
    upload(page, files.bright, files.dark)
    page.get_by_role("link", name="All results in one table").click()
    expect(page.get_by_text("All done.")).to_be_visible()
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="bright.mp4")).to_contain_text("AI-generated")
    expect(rows.filter(has_text="dark.mp4")).to_contain_text("real")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("file,verdict,basis,probability,low,high,")
    assert sorted(line.split(",")[:2] for line in lines[1:]) == [["bright.mp4", "ai-generated"], ["dark.mp4", "real"]]


def test_the_link_to_the_table_appears_when_the_uploads_have_ended(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/")
    requests: list[Route] = []
    page.route("**/api/v1/detections?batch=*", lambda route: requests.append(route))
    upload(page, files.bright, files.dark)
    link = page.get_by_role("link", name="All results in one table")
    while len(requests) < 2:
        page.wait_for_timeout(50)
    for request in requests:
        expect(link).to_be_hidden()
        request.continue_()
        page.wait_for_timeout(200)
    expect(link).to_be_visible()


def test_files_can_be_dropped_anywhere_on_the_page(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/")
    page.evaluate(
        """data => { const transfer = new DataTransfer(), bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], "dropped.png"));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })); }""",
        base64.b64encode(files.photo.read_bytes()).decode(),
    )
    page.wait_for_url(RESULT_URL)
    expect(page.locator(".verdict .file")).to_have_text("dropped.png")


def test_a_full_queue_is_retried_and_other_errors_are_shown(open_page: OpenPage, files: UploadFiles, console_errors: list[str]) -> None:
    page = open_page("/")
    full = {"status": 429, "headers": {"Retry-After": "1"}, "body": '{"detail": "queue: is full: 200 files wait."}'}
    page.route("**/api/v1/detections", lambda route: route.fulfill(**full), times=1)
    upload(page, files.dark)
    expect(page.locator(".queue .step")).to_contain_text("The upload is repeated in 1 s.")
    page.wait_for_url(RESULT_URL)
    page.goto("/")
    page.route("**/api/v1/detections", lambda route: route.fulfill(status=507, body='{"detail": "disk: is full."}'))
    upload(page, files.dark)
    expect(page.locator(".queue .failed")).to_have_text("disk: is full.")
    assert all("the server responded with a status of" in message for message in console_errors)
    console_errors.clear()


def test_a_file_over_the_limit_is_not_sent(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/history")

    def lower_limit(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace('data-max-bytes="512000000"', 'data-max-bytes="10"'))

    page.route(lambda url: url.endswith("/"), lower_limit)
    page.route("**/api/**", lambda route: pytest.fail(f"{route.request.url} was requested"))
    page.goto("/")
    upload(page, files.dark)
    expect(page.locator(".queue .failed")).to_contain_text("The file is larger than the limit of 512\N{NO-BREAK SPACE}MB.")


def test_upload_without_javascript(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/", java_script_enabled=False)
    page.get_by_label("Choose a file").set_input_files(files.bright)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(RESULT_URL)
    expect(page.get_by_role("heading", level=1)).to_have_text("Looks AI-generated")
    expect(page.locator(".moments svg").first).to_be_visible()
    assert not page.get_by_text("Point at the timeline").is_visible()
