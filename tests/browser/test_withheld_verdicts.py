"""A demo detector of images, which is not competent on videos: each page says `uncertain` and why, and none shows a probability."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from realframe.presentation.wording import ABSTENTION_TITLES, RENDERED_MARK, SCOPE
from tests.browser.conftest import sign_in
from tests.browser.media_files import UploadFiles
from tests.browser.running_service import RunningService, run_service
from tests.browser.test_all_pages import find_serious_problems
from tests.browser.test_upload_page import RESULT_URL, upload
from tests.trained_checkout import copy_checkout

CODES = {"image": "rendered-training", "video": "low-roc-auc"}
REASONS = {kind: f"This detector gives no verdict on {kind}s: a test decided so." for kind in CODES}


@pytest.fixture(scope="module")
def withholding_service(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with run_service(copy_checkout(tmp_path_factory.mktemp("withholding")), **CODES) as running:
        yield running


@pytest.fixture
def page(browser: Browser, withholding_service: RunningService) -> Iterator[Page]:
    context = browser.new_context(base_url=withholding_service.url)
    opened = context.new_page()
    sign_in(opened, withholding_service.url, "ada")
    opened.wait_for_url("**/")
    yield opened
    context.close()


def _check_page(page: Page) -> None:
    """Check what every page with answers says, and that axe finds nothing serious on it."""
    assert SCOPE in page.locator("main").inner_text()
    assert "%" not in page.locator("main").inner_text().replace("100 %", "")
    assert not find_serious_problems(page)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_the_reason_stands_in_the_place_of_the_verdict(page: Page, browser: Browser, files: UploadFiles, kind: str) -> None:
    page.goto("/")
    upload(page, files.photo if kind == "image" else files.bright)
    page.wait_for_url(RESULT_URL)
    expect(page.get_by_role("heading", level=1)).to_have_text("Uncertain")
    expect(page.locator("h1 + .abstention")).to_have_text(REASONS[kind])
    expect(page.locator(".probability, .scale, .timeline, .moments")).to_have_count(0)
    _check_page(page)
    result = page.url
    page.get_by_role("link", name="Share").click()
    link = page.get_by_label("Link").input_value()
    visitor = browser.new_context().new_page()
    visitor.goto(link)
    expect(visitor.locator("h1 + .abstention")).to_have_text(REASONS[kind])
    _check_page(visitor)
    report = visitor.request.get(f"{link}/report.html").text()
    visitor.context.close()
    assert REASONS[kind] in report
    assert SCOPE in report
    record = page.request.get(f"/api/v1/detections/{result.rpartition('/')[2]}").json()
    assert (record["verdict"], record["basis"], record["scope"]) == ("uncertain", REASONS[kind], SCOPE)
    assert record["result"]["abstention"] == {"code": CODES[kind], "reason": REASONS[kind]}
    page.goto("/history")
    row = page.get_by_role("row").filter(has_text=(files.photo if kind == "image" else files.bright).name).first
    expect(row).to_contain_text("uncertain")
    expect(row).to_contain_text(ABSTENTION_TITLES[CODES[kind]])
    expect(page.get_by_role("note").filter(has_text=REASONS[kind])).to_be_visible()
    _check_page(page)
    page.goto("/")
    expect(page.locator(".recent li").first).to_contain_text(ABSTENTION_TITLES[CODES[kind]])


def test_a_batch_says_why_in_its_rows_and_its_table(page: Page, files: UploadFiles) -> None:
    page.goto("/")
    upload(page, files.photo, files.bright)
    expect(page.locator(".queue .badge.uncertain")).to_have_count(2)
    for file, kind in ((files.photo, "image"), (files.bright, "video")):
        expect(page.locator(".queue li").filter(has_text=file.name)).to_contain_text(REASONS[kind])
    page.get_by_role("link", name="All results in one table").click()
    expect(page.get_by_text("All done.")).to_be_visible()
    for reason in REASONS.values():
        expect(page.get_by_role("note").filter(has_text=reason)).to_be_visible()
    _check_page(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert {(row["verdict"], row["probability"], row["scope"]) for row in rows} == {("uncertain", "", SCOPE)}
    assert {row["basis"] for row in rows} == set(REASONS.values())


def test_a_version_of_rendered_media_is_marked(page: Page) -> None:
    page.goto("/versions")
    expect(page.get_by_role("row").filter(has_text="champion")).to_contain_text(RENDERED_MARK)
    page.goto("/versions/1")
    expect(page.get_by_role("note").filter(has_text=RENDERED_MARK)).to_be_visible()
