"""Requirements of every page: no serious accessibility problem (axe), no horizontal scrolling on a phone, keyboard access."""

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from fastapi.routing import APIRoute
from playwright.sync_api import Page, expect

from realframe.web.pages import ROUTERS
from tests.browser.conftest import OpenPage
from tests.browser.media_files import UploadFiles
from tests.browser.test_upload_page import RESULT_URL, upload

PAGES = [route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute) and "GET" in route.methods]
FIXED_PATHS = (*(path for path in PAGES if "{" not in path), "/history?file=no+such+file", "/versions/1", "/lineage/1")


@pytest.fixture(scope="session")
def paths_cache() -> dict[str, list[str]]:
    """The paths of all pages, once files have been uploaded."""
    return {}


def all_paths(open_page: OpenPage, files: UploadFiles, cache: dict[str, list[str]]) -> list[str]:
    if not cache:
        page = open_page("/")
        upload(page, files.wave, files.photo, files.page)
        expect(page.locator(".queue .badge")).to_have_count(3)
        results = [str(link.get_attribute("href")) for link in page.locator(".queue a").all()]
        batch = str(page.get_by_role("link", name="All results in one table").get_attribute("href"))
        page.goto(f"{results[0]}/share")
        shared = page.get_by_label("Link").input_value()
        cache["all"] = [*FIXED_PATHS, *results, batch, f"{results[0]}/share", f"{results[0]}/delete", shared]
    return cache["all"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_problem(open_page: OpenPage, files: UploadFiles, paths_cache: dict[str, list[str]], scheme: str) -> None:
    page = open_page("/", color_scheme=scheme)
    problems = {}
    for path in all_paths(open_page, files, paths_cache):
        page.goto(path)
        if serious := find_serious_problems(page, "color-contrast" if scheme == "dark" else ""):
            problems[path] = serious
    assert not problems


def test_axe_finds_no_serious_problem_during_uploads_and_on_the_sign_in_page(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/")
    upload(page, files.bright, files.page)
    assert not find_serious_problems(page)
    sign_in_page = open_page("/sign-in", None)
    assert not find_serious_problems(sign_in_page)


@pytest.mark.parametrize("width", [360, 800])
def test_no_page_scrolls_horizontally(open_page: OpenPage, files: UploadFiles, paths_cache: dict[str, list[str]], width: int) -> None:
    page = open_page("/", viewport={"width": width, "height": 740})
    too_wide = {}
    for path in all_paths(open_page, files, paths_cache):
        page.goto(path)
        widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        if widths[0] > widths[1]:
            too_wide[path] = widths
    assert not too_wide


def test_the_dark_color_scheme_is_dark(open_page: OpenPage) -> None:
    backgrounds = [
        open_page("/", color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        for scheme in ("light", "dark")
    ]
    assert min(backgrounds[0]) > 200
    assert max(backgrounds[1]) < 60


def test_every_control_is_reached_by_the_keyboard(open_page: OpenPage, files: UploadFiles) -> None:
    page = open_page("/")
    upload(page, files.wave)
    page.wait_for_url(RESULT_URL)
    expect(page.get_by_role("slider")).to_be_visible()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(element => element?.id || element?.innerText?.trim() || element?.tagName)(document.activeElement)"))
    assert {
        "Skip to the content",
        "Check",
        "History",
        "Share",
        "Download report",
        "Delete",
        "player",
        "timeline",
        "reason",
        "Send",
    } <= reached


def find_serious_problems(page: Page, rule: str = "") -> list[str]:
    """Return what axe finds by all of its rules, or by one."""
    options = {"resultTypes": ["violations"], **({"runOnly": [rule]} if rule else {})}
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
