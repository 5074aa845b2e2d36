"""Content credentials (C2PA) of a file. Whether it has any is seen in its bytes; they are read by a process of their own, within limits."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from realframe.errors import SetupError
from realframe.media.limits import limited
from realframe.provenance.origin import Credentials
from realframe.settings import get_settings

MIMES = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "heif": "image/heif", "avif": "image/avif", "tiff": "image/tiff"}
MIMES |= {"gif": "image/gif", "mp4": "video/mp4", "mov": "video/quicktime", "avi": "video/avi"}
"""The containers that can hold credentials, and their media types."""

_STORE = b"jumdc2pa"  # how the description box of a manifest store begins in every container: ISO/IEC 19566-5, C2PA 2.x 11.1.4.2
_MEMORY_MB = 1536  # of the process that reads them, address space: 50, and twice the bytes of a JPEG
_SECONDS = 60.0
_CHUNK = 1 << 20
_HINT = "Name a PEM file by REALFRAME_TRUST_LIST, or none."


@dataclass(frozen=True)
class CredentialsResult:
    """Content credentials and what they say.

    Attributes:
        credentials: as they stand in the answer.
        words: such as ``was made by AI``; empty where they say nothing of how the file came to be.
    """

    credentials: Credentials
    words: str


def credentials_of(path: Path, container: str) -> CredentialsResult | None:
    """Return the content credentials in ``path``, a file in ``container``; None where it carries none.

    Such as can't be read, or not within the limits, are ``invalid``.

    Raises:
        OSError: the file can't be read.
        SetupError: the trust list of the settings can't be used.
    """
    if container not in MIMES or not _holds_a_store(path):
        return None
    answer = _read(path, MIMES[container])
    if answer is None:
        problem = "They are damaged, or too large to be read."
        return CredentialsResult(Credentials("invalid", "unknown", "", "", "", (problem,)), "")
    found = json.loads(answer)
    if found is None:
        return None
    problems = tuple(found["credentials"].pop("problems"))
    return CredentialsResult(Credentials(**found["credentials"], problems=problems), found["words"])


def _holds_a_store(path: Path) -> bool:
    tail = b""
    with path.open("rb") as stream:  # not mapped: a file that shrinks meanwhile would end the process
        while chunk := stream.read(_CHUNK):
            if _STORE in tail + chunk:
                return True
            tail = chunk[1 - len(_STORE) :]
    return False


def _read(path: Path, mime: str) -> bytes | None:
    """Return what ``manifest`` prints, or None where it failed."""
    command = [sys.executable, "-P", "-m", "realframe.provenance.c2pa_manifest", str(path.resolve()), mime]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with limited(command, _MEMORY_MB, _SECONDS, **streams) as process:
        answer, _ = process.communicate(_trust_list())
    return answer if process.returncode == 0 else None


def _trust_list() -> bytes:
    """Return the certificates of those who are trusted to sign, PEM; empty for nobody. Raises SetupError."""
    path = get_settings().trust_list
    if path is None:
        return b""
    try:
        certificates = path.read_bytes()
    except OSError as error:
        raise SetupError(path, f"can't be read: {error.strerror}", _HINT) from error
    if b"-----BEGIN CERTIFICATE-----" not in certificates:
        raise SetupError(path, "holds no certificates", _HINT)
    return certificates
