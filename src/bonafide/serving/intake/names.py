"""What a file that is handed in may be called: a name to be shown, never one on this machine's disk."""

import re
import unicodedata

LONGEST = 200
UNNAMED = "unnamed"
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control and format characters: a turned writing direction makes exe.jpg of gpj.exe


def cleaned(name: bytes) -> str:
    """Return the last part of a name as a browser sends it, without what can't be seen, at most 200 characters."""
    text = unicodedata.normalize("NFC", name.decode(errors="replace"))
    seen = "".join(letter for letter in text if unicodedata.category(letter) not in _HIDDEN)
    last = re.split(r"[/\\]", seen)[-1].strip()[:LONGEST].strip()
    return last if last.strip(".") else UNNAMED
