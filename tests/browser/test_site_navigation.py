"""Signing in, and the other pages: history, models, review, data and lineage."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, sign_in
from tests.browser.media_files import UploadFiles
from tests.browser.running_service import RunningService
from tests.browser.test_upload_page import RESULT_URL, upload


def test_sign_in_and_out(open_page: OpenPage, service: RunningService, console_errors: list[str]) -> None:
    page = open_page("/history", None)
    assert page.url.endswith("/sign-in?next=/history")
    sign_in(page, service.url, "bob", "not the password")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is not correct.")
    assert all("403" in message for message in console_errors)
    console_errors.clear()
    page.goto("/history")
    page.get_by_label("Name").fill("bob")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/history")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto("/")
    assert "/sign-in" in page.url


def test_history_is_searched_by_name_and_verdict(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/")
    upload(page, files.bright, files.dark, files.wave)
    expect(page.locator(".queue .badge")).to_have_count(3)
    page.get_by_role("link", name="History").first.click()
    page.get_by_label("File name").fill("WAVE & co")
    page.get_by_role("button", name="Search").click()
    rows = page.locator(".results tbody tr")
    expect(rows).not_to_have_count(0)
    assert {row.locator("th a").inner_text() for row in rows.all()} == {files.wave.name}
    page.get_by_label("File name").fill("")
    page.get_by_label("Verdict").select_option("real")
    page.get_by_role("button", name="Search").click()
    assert {row.locator(".badge").inner_text() for row in rows.all()} == {"real"}
    page.get_by_label("To").fill("2020-01-01")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No file matches.")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    rows.first.get_by_role("link").click()
    page.wait_for_url(RESULT_URL)


def test_history_has_pages(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/", "bob")
    upload(page, *[files.empty] * 27)
    expect(page.locator(".queue .badge")).to_have_count(27)
    page.goto("/history")
    expect(page.locator(".results tbody tr")).to_have_count(25)
    page.get_by_role("link", name="Older").click()
    expect(page.locator(".results tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(".results tbody tr")).to_have_count(25)


def test_a_reviewer_rejects_the_challenger(open_page: OpenPage) -> None:
    page = open_page("/review", "ada")
    expect(page.get_by_role("heading", level=1)).to_have_text("Version 2 compared with version 1")
    page.get_by_label(re.compile("Comment")).fill("calls everything fake")
    page.get_by_role("button", name="Reject").click()
    page.wait_for_url("**/versions/2")
    expect(page.locator(".ledger")).to_contain_text("calls everything fake")
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_text("No version waits for a decision.")).to_be_visible()


def test_models_data_and_lineage_open(open_page: OpenPage) -> None:
    page = open_page("/")
    for link, heading in (("Models", "Models"), ("Data", "Data"), ("Lineage", "Lineage")):
        page.get_by_role("navigation", name="Main").get_by_role("link", name=link).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    page.goto("/versions/1")
    expect(page.get_by_role("heading", name="Gate rules")).to_be_visible()
