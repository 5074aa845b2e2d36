"""The page of an answer: the timeline, the moments, sharing, saying what it is, deleting."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.media_files import Files
from tests.browser.test_browser_check import ANSWER, hand_in

Answer = Callable[..., Page]


@pytest.fixture
def answer(visit: Visit) -> Answer:
    """Hand a file in and open its answer."""

    def opened(file: Path, **options: object) -> Page:
        page = visit("/", **options)
        hand_in(page, file)
        page.wait_for_url(ANSWER)
        return page

    return opened


def shown(page: Page) -> tuple[str | None, str | None, str]:
    """The parts of the two sprites that are seen, and the words beside them."""
    boxes = [page.locator(name).get_attribute("viewBox") for name in ("#seen", "#heat")]
    return boxes[0], boxes[1], page.locator("#said").inner_text()


def test_pointing_at_the_timeline_shows_the_frame_and_its_heat(answer: Answer, files: Files) -> None:
    page = answer(files.wave)
    timeline = page.get_by_role("slider", name="Frames over time")
    timeline.scroll_into_view_if_needed()
    at_first = shown(page)
    seen = set()
    box = timeline.bounding_box()
    assert box
    for share in (0.05, 0.5, 0.8):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 40)
        frame, heat, words = shown(page)
        assert frame == heat
        seen.add((frame, words))
    assert len({frame for frame, _ in seen}) == len({words for _, words in seen}) == 3
    page.mouse.move(0, 0)
    assert shown(page) == at_first  # the most suspicious frame, until another one is chosen
    for name in ("#seen image", "#heat image"):
        size = page.evaluate("name => { const box = document.querySelector(name).getBBox(); return [box.width, box.height]; }", name)
        assert size[0] > 0
        source = page.locator(name).get_attribute("href")
        assert page.request.get(str(source)).headers["content-type"] == "image/jpeg"


def test_a_click_on_the_timeline_and_the_moments_seek_the_player(answer: Answer, files: Files) -> None:
    page = answer(files.wave)
    timeline = page.get_by_role("slider", name="Frames over time")
    box = timeline.bounding_box()
    assert box
    timeline.click(position={"x": box["width"] * 0.75, "y": 30})
    assert 5 < at(page) < 7
    moment = page.locator(".moments a").first
    moment.click()
    assert at(page) == pytest.approx(float(str(moment.get_attribute("data-seek"))), abs=0.05)
    expect(page.locator("#playhead")).to_have_attribute("visibility", "visible")


def test_the_keyboard_walks_over_the_frames(answer: Answer, files: Files) -> None:
    page = answer(files.wave)
    timeline = page.get_by_role("slider", name="Frames over time")
    timeline.focus()
    page.keyboard.press("Home")
    expect(timeline).to_have_attribute("aria-valuenow", "0")
    first = shown(page)
    page.keyboard.press("ArrowRight")
    expect(timeline).to_have_attribute("aria-valuenow", "1")
    assert shown(page)[0] != first[0]
    expect(timeline).to_have_attribute("aria-valuetext", re.compile(r"Frame at 0:01.*: score 0\.\d\d"))
    assert at(page) > 0.5
    page.keyboard.press("End")
    expect(timeline).to_have_attribute("aria-valuenow", str(timeline.get_attribute("aria-valuemax")))
    page.keyboard.press("PageUp")
    expect(timeline).to_have_attribute("aria-valuenow", str(timeline.get_attribute("aria-valuemax")))


def test_a_finger_on_the_timeline(answer: Answer, files: Files) -> None:
    page = answer(files.wave, has_touch=True, viewport={"width": 360, "height": 740})
    timeline = page.get_by_role("slider", name="Frames over time")
    timeline.scroll_into_view_if_needed()
    box = timeline.bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 30)
    assert 3 <= at(page) <= 5


def test_a_name_that_is_html_is_text(answer: Answer, files: Files) -> None:
    page = answer(files.wave)
    expect(page.locator(".verdict .file")).to_have_text(files.wave.name)
    assert not page.locator(".verdict .file b").count()


def test_a_clip_that_the_browser_can_not_play_says_so(answer: Answer, files: Files, complaints: list[str]) -> None:
    page = answer(files.unplayable)
    expect(page.get_by_text("This browser can't show mpeg4 in avi")).to_be_visible()
    expect(page.locator("#seen")).to_be_visible()
    complaints.clear()  # Chromium may warn of the format


def test_a_picture_has_no_timeline(answer: Answer, files: Files) -> None:
    page = answer(files.photo)
    expect(page.locator("img#player")).to_be_visible()
    expect(page.locator("#heat")).to_be_visible()
    expect(page.locator("#timeline")).to_have_count(0)


def test_a_shared_link_shows_the_answer_to_a_stranger_until_it_is_deleted(
    answer: Answer, visit: Visit, files: Files, complaints: list[str]
) -> None:
    page = answer(files.bright)
    page.get_by_role("link", name="Share").click()
    link = page.get_by_label("Link").input_value()
    stranger = visit(link, None)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Looks AI-generated")
    for part in ("/media", "/frames.jpg", "/heat.jpg", "/report.html"):
        assert stranger.request.get(link + part).status == 200
    for gone in ("Delete", "Share"):
        expect(stranger.get_by_role("link", name=gone)).to_have_count(0)
    expect(stranger.get_by_role("button", name="Send")).to_have_count(0)
    assert stranger.request.get(link.replace("/shared/", "/shared/x")).status == 404
    page.go_back()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/history")
    assert stranger.request.get(link).status == 404
    assert stranger.request.get(f"{link}/media").status == 404
    assert not complaints


def test_deleting_asks_first(answer: Answer, files: Files) -> None:
    page = answer(files.photo)
    address = page.url
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("link", name="Keep it").click()
    assert page.url == address
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/history")
    assert page.request.get(address).status == 404


def test_others_see_nothing_of_it_but_reviewers_do(answer: Answer, visit: Visit, files: Files, complaints: list[str]) -> None:
    address = answer(files.photo).url
    assert visit("/history", "bob").request.get(address).status == 404
    reviewer = visit(address, "ada")
    expect(reviewer.get_by_role("heading", level=1)).to_be_visible()
    expect(reviewer.get_by_role("link", name="Delete")).to_have_count(0)
    assert not complaints


def test_somebody_who_knows_better_says_so(answer: Answer, files: Files) -> None:
    page = answer(files.photo)
    page.get_by_role("radio", name="AI-generated").check()
    page.get_by_label("How do you know?").fill("made with a prompt of mine")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()


def test_the_report_is_a_file_to_take_along(answer: Answer, files: Files) -> None:
    page = answer(files.bright)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download report").click()
    text = download.value.path().read_text()
    assert "<script" not in text
    assert "bright.mp4" in text


def at(page: Page) -> float:
    """Where the player stands, seconds."""
    return float(page.evaluate("document.querySelector('#player').currentTime"))
