"""Text that strangers wrote, fit to be shown."""

import re

LONGEST = 200
# control characters, half characters, and those that are not seen or turn the reading direction
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")


def plain(text: object) -> str:
    """Return ``text`` on one line, at most 200 characters, without control characters."""
    shown = " ".join(_CONTROL.sub(" ", str(text)[: 20 * LONGEST]).split())
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
