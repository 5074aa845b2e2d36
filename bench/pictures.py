"""Writes the pictures of the web page in docs/pictures: the demo's clips, checked by the demo's champion in a real browser.

``make pictures`` runs the demo first, which takes what it can from its caches. The figures on the pictures are what that detector says.
"""

import secrets
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.chromium import launch
from bench.service import serving
from realframe.demo import demo_run as demo
from realframe.errors import SetupError
from realframe.runs.worktree import open_sandbox
from realframe.settings import Settings, get_settings
from realframe.store import accounts, detection_records
from realframe.store.detection_documents import DetectionRecord
from realframe.store.repository import Store, open_store
from realframe.web.auth.authentication import Caller

_TARGET = Path("docs/pictures")
_NAME = "demo"
_SIZE = {"width": 1240, "height": 860}
_TALLEST = 1280
_WAIT_S = 120.0


def main() -> None:
    """Run the demo, serve it, and take the pictures."""
    demo.run(get_settings())
    sandbox = open_sandbox("demo", get_settings())
    unseen = demo.render_set(sandbox).unseen
    take(sandbox, sorted(file for file in unseen.rglob("*") if file.suffix in (".mp4", ".png", ".jpg")), _TARGET)


def take(settings: Settings, media: list[Path], target: Path) -> None:
    """Hand the media in on a service of the checkout of ``settings``, and write a picture of each place into ``target``."""
    password = secrets.token_urlsafe(12)
    with open_store(settings) as store:
        _only_demo(store, settings, password)
    with serving(settings) as url, sync_playwright() as playwright:
        launched = launch(playwright)
        if launched is None:
            raise SetupError("Chromium", "is not there", "Bring one: `make browser`.")
        page = launched.new_page(base_url=url, viewport=_SIZE)  # type: ignore[arg-type]
        page.goto("/sign-in")
        page.get_by_label("Name").fill(_NAME)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        _walk(page, media, target)
        launched.close()


def _walk(page: Page, media: list[Path], target: Path) -> None:
    page.locator("#file").set_input_files(media)
    badges = page.locator(".queue .badge")
    badges.nth(len(media) - 1).wait_for(timeout=_WAIT_S * 1000)
    _shot(page, target / "check.png")
    page.locator("#table a").click()
    page.get_by_text("All done.").wait_for()
    _shot(page, target / "batch.png")
    page.goto("/history")
    _shot(page, target / "history.png")
    page.goto("/history?verdict=ai-generated")
    found = page.locator(".answers tbody th a")
    if not found.count():
        page.goto("/history")
    found.first.click()
    page.wait_for_load_state("networkidle")
    _shot(page, target / "detection.png")
    page.goto("/data")
    _shot(page, target / "data.png")


def _shot(page: Page, target: Path) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.screenshot(path=target, full_page=True, clip={"x": 0, "y": 0, "width": _SIZE["width"], "height": min(height, _TALLEST)})
    print(f"wrote {target}")


def _only_demo(store: Store, settings: Settings, password: str) -> None:
    """Give the account that the pictures show a new password, and take away what it handed in before."""
    if store.get(accounts.Account, _NAME) is None:
        accounts.add(store, _NAME, "analyst", password)
    accounts.set_password(store, _NAME, password)
    for record in store.find(DetectionRecord, {"owner": _NAME}):
        detection_records.remove(store, settings, Caller(_NAME, "analyst"), record)


if __name__ == "__main__":
    main()
