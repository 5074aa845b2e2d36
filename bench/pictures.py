"""Take the pictures of the web page in docs/pictures: the demo's clips, scored by the demo's champion, in a real browser.

``make pictures`` runs the demo first, which reuses its caches. The values on the pictures are those of that detector.
"""

import secrets
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.chromium import launch
from bench.service import serving
from realframe.demo.demo_run import prepare_demo_set, run_demo
from realframe.errors import SetupError
from realframe.runs.git_dvc import open_sandbox
from realframe.settings import Settings, get_settings
from realframe.store import accounts, detection_records
from realframe.store.detection_documents import DetectionRecord
from realframe.store.repository import Store, open_store

_TARGET = Path("docs/pictures")
_NAME = "demo"
_SIZE = {"width": 1240, "height": 860}
_MAX_HEIGHT = 1280
_WAIT_S = 120.0


def main() -> None:
    """Run the demo, serve it, and take the pictures."""
    run_demo(get_settings())
    sandbox = open_sandbox("demo", get_settings())
    unseen = prepare_demo_set(sandbox).unseen_dir
    take_pictures(sandbox, sorted(file for file in unseen.rglob("*") if file.suffix in (".mp4", ".png", ".jpg")), _TARGET)


def take_pictures(settings: Settings, media: list[Path], target: Path) -> None:
    """Upload the media to a service of the checkout of ``settings`` and write a picture of each page to ``target``."""
    password = secrets.token_urlsafe(12)
    with open_store(settings) as store:
        _reset_account(store, settings, password)
    with serving(settings) as url, sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            raise SetupError("Chromium", "is not installed", "Install it: `make browser`.")
        page = browser.new_page(base_url=url, viewport=_SIZE)  # type: ignore[arg-type]
        page.goto("/sign-in")
        page.get_by_label("Name").fill(_NAME)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        _visit_pages(page, media, target)
        browser.close()


def _visit_pages(page: Page, media: list[Path], target: Path) -> None:
    page.locator("#file").set_input_files(media)
    badges = page.locator(".queue .badge")
    badges.nth(len(media) - 1).wait_for(timeout=_WAIT_S * 1000)
    _screenshot(page, target / "check.png")
    page.locator("#batch-link a").click()
    page.get_by_text("All done.").wait_for()
    _screenshot(page, target / "batch.png")
    page.goto("/history")
    _screenshot(page, target / "history.png")
    page.goto("/history?verdict=ai-generated")
    links = page.locator(".results tbody th a")
    if not links.count():
        page.goto("/history")
    links.first.click()
    page.wait_for_load_state("networkidle")
    _screenshot(page, target / "detection.png")
    page.goto("/data")
    _screenshot(page, target / "data.png")


def _screenshot(page: Page, target: Path) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.screenshot(path=target, full_page=True, clip={"x": 0, "y": 0, "width": _SIZE["width"], "height": min(height, _MAX_HEIGHT)})
    print(f"wrote {target}")


def _reset_account(store: Store, settings: Settings, password: str) -> None:
    """Set a new password for the account on the pictures and delete its earlier uploads."""
    if store.get(accounts.Account, _NAME) is None:
        accounts.add_account(store, _NAME, "analyst", password)
    accounts.set_password(store, _NAME, password)
    for record in store.find(DetectionRecord, {"owner": _NAME}):
        detection_records.delete_record(store, settings, accounts.User(_NAME, "analyst"), record)


if __name__ == "__main__":
    main()
