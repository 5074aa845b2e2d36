"""Fixtures of the tests in a real browser: a service, a Chromium, and pages that may complain of nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, StorageState, expect, sync_playwright

from bench.chromium import launch
from tests.browser import media_files
from tests.browser.media_files import Files
from tests.browser.served import PASSWORD, PEOPLE, Served, serving
from tests.pilot import copy_checkout

_PATIENCE_MS = 20_000

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    launched = launch(playwright)
    if launched is None:
        pytest.skip("there is no Chromium: `make browser` brings one, or name one by REALFRAME_CHROMIUM")
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(copy_checkout(tmp_path_factory.mktemp("served"))) as service:
        yield service


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return media_files.write(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="session")
def states(browser: Browser, served: Served) -> dict[str, StorageState]:
    """The cookies of everybody, signed in."""
    found = {}
    for name in PEOPLE:
        context = browser.new_context()
        sign_in(context.new_page(), served.url, name)
        found[name] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser's console says against a page; nothing may be left of it when a test ends."""
    said: list[str] = []
    yield said
    assert not said


@pytest.fixture
def visit(browser: Browser, served: Served, states: dict[str, StorageState], complaints: list[str]) -> Iterator[Visit]:
    """Open a page in a browser of its own: of somebody who is signed in, or of nobody."""
    contexts: list[BrowserContext] = []

    def opened(path: str, name: str | None = "ann", **options: Any) -> Page:
        context = browser.new_context(base_url=served.url, storage_state=states[name] if name else None, **options)
        contexts.append(context)
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda message: _note(complaints, message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()


def sign_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{url}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def _note(complaints: list[str], message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        complaints.append(f"{message.text} at {message.location['url']}")
