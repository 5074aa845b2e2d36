"""What holds of every page: axe finds nothing serious, light or dark; a phone scrolls nothing sideways; the keyboard reaches everything."""

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.media_files import Files
from tests.browser.test_browser_check import ANSWER, hand_in

PLACES = ("/", "/history", "/history?file=nothing+is+called+so", "/versions", "/versions/1", "/review", "/data", "/lineage", "/lineage/1")


@pytest.fixture(scope="session")
def addresses() -> dict[str, list[str]]:
    """Where the answers are, once they were made."""
    return {}


def all_places(visit: Visit, files: Files, kept: dict[str, list[str]]) -> list[str]:
    if not kept:
        page = visit("/")
        hand_in(page, files.wave, files.photo, files.page)
        expect(page.locator(".queue .badge")).to_have_count(3)
        answers = [str(link.get_attribute("href")) for link in page.locator(".queue a").all()]
        batch = str(page.get_by_role("link", name="All of them in one table").get_attribute("href"))
        page.goto(f"{answers[0]}/share")
        shared = page.get_by_label("Link").input_value()
        kept["all"] = [*PLACES, *answers, batch, f"{answers[0]}/share", f"{answers[0]}/delete", shared]
    return kept["all"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Visit, files: Files, addresses: dict[str, list[str]], scheme: str) -> None:
    page = visit("/", color_scheme=scheme)
    found = {}
    for path in all_places(visit, files, addresses):
        page.goto(path)
        if wrong := _serious(page, "color-contrast" if scheme == "dark" else ""):
            found[path] = wrong
    assert not found


def test_axe_finds_nothing_serious_while_files_are_checked_and_at_the_door(visit: Visit, files: Files) -> None:
    page = visit("/")
    hand_in(page, files.bright, files.page)
    assert not _serious(page)
    door = visit("/sign-in", None)
    assert not _serious(door)


@pytest.mark.parametrize("width", [360, 800])
def test_no_page_scrolls_sideways(visit: Visit, files: Files, addresses: dict[str, list[str]], width: int) -> None:
    page = visit("/", viewport={"width": width, "height": 740})
    wide = {}
    for path in all_places(visit, files, addresses):
        page.goto(path)
        widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        if widths[0] > widths[1]:
            wide[path] = widths
    assert not wide


def test_dark_is_dark(visit: Visit) -> None:
    lights = [
        visit("/", color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        for scheme in ("light", "dark")
    ]
    assert min(lights[0]) > 200
    assert max(lights[1]) < 60


def test_everything_is_reached_by_the_keyboard(visit: Visit, files: Files) -> None:
    page = visit("/")
    hand_in(page, files.wave)
    page.wait_for_url(ANSWER)
    expect(page.get_by_role("slider")).to_be_visible()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(one => one?.id || one?.innerText?.trim() || one?.tagName)(document.activeElement)"))
    assert {"Skip to the content", "Check", "History", "Share", "Download report", "Delete", "player", "timeline", "why", "Send"} <= reached


def _serious(page: Page, rule: str = "") -> list[str]:
    """What axe finds, by all of its rules or by one."""
    options = {"resultTypes": ["violations"], **({"runOnly": [rule]} if rule else {})}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{wrong['id']}: {node['target']} {node.get('failureSummary', '')}"
        for wrong in found
        if wrong["impact"] in ("serious", "critical")
        for node in wrong["nodes"]
    ]
