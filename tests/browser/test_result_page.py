"""The page of a result: the timeline, the moments, sharing, labeling and deleting."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.media_files import UploadFiles
from tests.browser.test_upload_page import RESULT_URL, upload

OpenResult = Callable[..., Page]


@pytest.fixture
def open_result(open_page: OpenPage) -> OpenResult:
    """Upload a file and open its result."""

    def upload_and_open(file: Path, **options: object) -> Page:
        page = open_page("/", **options)
        upload(page, file)
        page.wait_for_url(RESULT_URL)
        return page

    return upload_and_open


def shown_frame(page: Page) -> tuple[str | None, str | None, str]:
    """Return the visible parts of the two sprites and the caption."""
    boxes = [page.locator(name).get_attribute("viewBox") for name in ("#frame", "#heatmap")]
    return boxes[0], boxes[1], page.locator("#frame-caption").inner_text()


def test_hovering_the_timeline_shows_the_frame_and_its_heatmap(open_result: OpenResult, files: UploadFiles) -> None:
    page = open_result(files.wave)
    timeline = page.get_by_role("slider", name="Frames over time")
    timeline.scroll_into_view_if_needed()
    initial = shown_frame(page)
    frames = set()
    box = timeline.bounding_box()
    assert box
    for share in (0.05, 0.5, 0.8):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 40)
        frame, heatmap, caption = shown_frame(page)
        assert frame == heatmap
        frames.add((frame, caption))
    assert len({frame for frame, _ in frames}) == len({caption for _, caption in frames}) == 3
    page.mouse.move(0, 0)
    assert shown_frame(page) == initial  # the most suspicious frame, until another one is selected
    for name in ("#frame image", "#heatmap image"):
        size = page.evaluate("name => { const box = document.querySelector(name).getBBox(); return [box.width, box.height]; }", name)
        assert size[0] > 0
        source = page.locator(name).get_attribute("href")
        assert page.request.get(str(source)).headers["content-type"] == "image/jpeg"


def test_clicks_on_the_timeline_and_the_moments_seek_the_player(open_result: OpenResult, files: UploadFiles) -> None:
    page = open_result(files.wave)
    timeline = page.get_by_role("slider", name="Frames over time")
    box = timeline.bounding_box()
    assert box
    timeline.click(position={"x": box["width"] * 0.75, "y": 30})
    assert 5 < player_time(page) < 7
    moment = page.locator(".moments a").first
    moment.click()
    assert player_time(page) == pytest.approx(float(str(moment.get_attribute("data-seek"))), abs=0.05)
    expect(page.locator("#playhead")).to_have_attribute("visibility", "visible")


def test_the_arrow_keys_select_frames(open_result: OpenResult, files: UploadFiles) -> None:
    page = open_result(files.wave)
    timeline = page.get_by_role("slider", name="Frames over time")
    timeline.focus()
    page.keyboard.press("Home")
    expect(timeline).to_have_attribute("aria-valuenow", "0")
    first = shown_frame(page)
    page.keyboard.press("ArrowRight")
    expect(timeline).to_have_attribute("aria-valuenow", "1")
    assert shown_frame(page)[0] != first[0]
    expect(timeline).to_have_attribute("aria-valuetext", re.compile(r"Frame at 0:01.*: score 0\.\d\d"))
    assert player_time(page) > 0.5
    page.keyboard.press("End")
    expect(timeline).to_have_attribute("aria-valuenow", str(timeline.get_attribute("aria-valuemax")))
    page.keyboard.press("PageUp")
    expect(timeline).to_have_attribute("aria-valuenow", str(timeline.get_attribute("aria-valuemax")))


def test_touching_the_timeline(open_result: OpenResult, files: UploadFiles) -> None:
    page = open_result(files.wave, has_touch=True, viewport={"width": 360, "height": 740})
    timeline = page.get_by_role("slider", name="Frames over time")
    timeline.scroll_into_view_if_needed()
    box = timeline.bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 30)
    assert 3 <= player_time(page) <= 5


def test_html_in_a_file_name_is_escaped(open_result: OpenResult, files: UploadFiles) -> None:
    page = open_result(files.wave)
    expect(page.locator(".verdict .file")).to_have_text(files.wave.name)
    assert not page.locator(".verdict .file b").count()


def test_an_unplayable_clip_shows_a_message(open_result: OpenResult, files: UploadFiles, console_errors: list[str]) -> None:
    page = open_result(files.unplayable)
    expect(page.get_by_text("This browser cannot play mpeg4 in avi")).to_be_visible()
    expect(page.locator("#frame")).to_be_visible()
    console_errors.clear()  # Chromium may warn about the format


def test_an_image_has_no_timeline(open_result: OpenResult, files: UploadFiles) -> None:
    page = open_result(files.photo)
    expect(page.locator("img#player")).to_be_visible()
    expect(page.locator("#heatmap")).to_be_visible()
    expect(page.locator("#timeline")).to_have_count(0)


def test_a_share_link_works_without_an_account_until_the_file_is_deleted(
    open_result: OpenResult, open_page: OpenPage, files: UploadFiles, console_errors: list[str]
) -> None:
    page = open_result(files.bright)
    page.get_by_role("link", name="Share").click()
    link = page.get_by_label("Link").input_value()
    visitor = open_page(link, None)
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Looks AI-generated")
    for part in ("/media", "/frames.jpg", "/heat.jpg", "/report.html"):
        assert visitor.request.get(link + part).status == 200
    for name in ("Delete", "Share"):
        expect(visitor.get_by_role("link", name=name)).to_have_count(0)
    expect(visitor.get_by_role("button", name="Send")).to_have_count(0)
    assert visitor.request.get(link.replace("/shared/", "/shared/x")).status == 404
    page.go_back()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/history")
    assert visitor.request.get(link).status == 404
    assert visitor.request.get(f"{link}/media").status == 404
    assert not console_errors


def test_deleting_asks_for_confirmation(open_result: OpenResult, files: UploadFiles) -> None:
    page = open_result(files.photo)
    address = page.url
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("link", name="Cancel").click()
    assert page.url == address
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/history")
    assert page.request.get(address).status == 404


def test_other_analysts_cannot_open_a_result_but_reviewers_can(
    open_result: OpenResult, open_page: OpenPage, files: UploadFiles, console_errors: list[str]
) -> None:
    address = open_result(files.photo).url
    assert open_page("/history", "bob").request.get(address).status == 404
    reviewer = open_page(address, "ada")
    expect(reviewer.get_by_role("heading", level=1)).to_be_visible()
    expect(reviewer.get_by_role("link", name="Delete")).to_have_count(0)
    assert not console_errors


def test_a_user_labels_a_file(open_result: OpenResult, files: UploadFiles) -> None:
    page = open_result(files.photo)
    page.get_by_role("radio", name="AI-generated").check()
    page.get_by_label("How do you know?").fill("I generated it")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()


def test_the_report_is_downloaded_as_one_file(open_result: OpenResult, files: UploadFiles) -> None:
    page = open_result(files.bright)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download report").click()
    text = download.value.path().read_text()
    assert "<script" not in text
    assert "bright.mp4" in text


def player_time(page: Page) -> float:
    """Return the player's current time, seconds."""
    return float(page.evaluate("document.querySelector('#player').currentTime"))
