"""Fixtures of the tests in a real browser: a service, a Chromium, and pages whose console must stay free of errors."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, StorageState, expect, sync_playwright

from bench.chromium import launch
from tests.browser.media_files import UploadFiles, write_files
from tests.browser.running_service import PASSWORD, ROLES, RunningService, run_service
from tests.trained_checkout import copy_checkout

_TIMEOUT_MS = 20_000

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=_TIMEOUT_MS)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    launched = launch(playwright)
    if launched is None:
        pytest.skip("Chromium is missing: install it with `make browser`, or set REALFRAME_CHROMIUM")
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def service(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with run_service(copy_checkout(tmp_path_factory.mktemp("service"))) as running:
        yield running


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> UploadFiles:
    return write_files(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="session")
def signed_in_states(browser: Browser, service: RunningService) -> dict[str, StorageState]:
    """The cookies of each signed-in account."""
    states = {}
    for name in ROLES:
        context = browser.new_context()
        sign_in(context.new_page(), service.url, name)
        states[name] = context.storage_state()
        context.close()
    return states


@pytest.fixture
def console_errors() -> Iterator[list[str]]:
    """The errors and warnings of the browser console; a test fails if any are left at its end."""
    messages: list[str] = []
    yield messages
    assert not messages


@pytest.fixture
def open_page(
    browser: Browser, service: RunningService, signed_in_states: dict[str, StorageState], console_errors: list[str]
) -> Iterator[OpenPage]:
    """Open a page in a new browser context, signed in as an account, or as nobody (None)."""
    contexts: list[BrowserContext] = []

    def open_in_new_context(path: str, name: str | None = "ann", **options: Any) -> Page:
        context = browser.new_context(base_url=service.url, storage_state=signed_in_states[name] if name else None, **options)
        contexts.append(context)
        context.set_default_timeout(_TIMEOUT_MS)
        page = context.new_page()
        page.on("console", lambda message: _record(console_errors, message))
        page.on("pageerror", lambda error: console_errors.append(str(error)))
        page.goto(path)
        return page

    yield open_in_new_context
    for context in contexts:
        context.close()


def sign_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{url}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def _record(console_errors: list[str], message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        console_errors.append(f"{message.text} at {message.location['url']}")
