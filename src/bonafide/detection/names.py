"""How a file is called in an answer: names are written by strangers."""

import os
from pathlib import Path


def shown(path: Path) -> str:
    """Return a path as text that can be printed and stored: what is no UTF-8 in it becomes a replacement character."""
    return os.fsencode(path).decode("utf-8", "replace")
