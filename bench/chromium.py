"""Launch Chromium for the pictures and for the browser tests."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", *_QUIET)


def launch(playwright: Playwright) -> Browser | None:
    """Launch the browser that REALFRAME_CHROMIUM names, else the system's, else Playwright's; return None if there is none."""
    system = next(filter(None, map(shutil.which, _NAMES)), None)
    bundled = playwright.chromium.executable_path
    executable = os.environ.get("REALFRAME_CHROMIUM") or system or (bundled if Path(bundled).exists() else None)
    return playwright.chromium.launch(executable_path=executable, args=[*_ARGUMENTS]) if executable else None
