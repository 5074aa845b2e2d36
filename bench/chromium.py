"""The Chromium that draws the pages for the pictures and for the tests in a real browser."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", *_QUIET)


def launch(playwright: Playwright) -> Browser | None:
    """Start the one that REALFRAME_CHROMIUM names, the system's, or Playwright's own; return None where there is none."""
    system = next(filter(None, map(shutil.which, _NAMES)), None)
    own = playwright.chromium.executable_path
    found = os.environ.get("REALFRAME_CHROMIUM") or system or (own if Path(own).exists() else None)
    return playwright.chromium.launch(executable_path=found, args=[*_ARGUMENTS]) if found else None
