"""Read the content credentials (C2PA) of a file, in a separate process within limits, if its bytes contain a manifest store."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from realframe.errors import SetupError
from realframe.media.limits import limited_process
from realframe.media.signature import MEDIA_TYPES
from realframe.provenance.origin import Credentials
from realframe.settings import get_settings

CONTAINERS = frozenset({"jpeg", "png", "webp", "heif", "avif", "tiff", "gif", "mp4", "mov", "avi"})
"""The containers that can have content credentials."""

_STORE = b"jumdc2pa"  # start of a manifest store's description box in every container: ISO/IEC 19566-5, C2PA 2.x 11.1.4.2
_MEMORY_MB = 1536  # address space of the reading process: it needs 50 MiB, and twice the bytes of a JPEG
_SECONDS = 60.0
_CHUNK = 1 << 20
_HINT = "Set REALFRAME_TRUST_LIST to a PEM file, or unset it."


@dataclass(frozen=True)
class CredentialsResult:
    """Content credentials and what they state.

    Attributes:
        credentials: the credentials as shown in a result.
        description: a predicate about the file, such as ``was made by AI``; empty if they do not state how it was made.
    """

    credentials: Credentials
    description: str


def read_credentials(path: Path, container: str) -> CredentialsResult | None:
    """Return the content credentials of a file in ``container``; None if it has none.

    Credentials that cannot be read within the limits are ``invalid``.

    Raises:
        OSError: the file cannot be read.
        SetupError: the trust list of the settings cannot be used.
    """
    if container not in CONTAINERS or not _has_manifest_store(path):
        return None
    output = _run_reader(path, MEDIA_TYPES[container])
    if output is None:
        problem = "They are damaged, or too large to be read."
        return CredentialsResult(Credentials("invalid", "unknown", "", "", "", (problem,)), "")
    result = json.loads(output)
    if result is None:
        return None
    problems = tuple(result["credentials"].pop("problems"))
    return CredentialsResult(Credentials(**result["credentials"], problems=problems), result["description"])


def _has_manifest_store(path: Path) -> bool:
    tail = b""
    with path.open("rb") as stream:  # not memory-mapped: a file that shrinks meanwhile would crash the process
        while chunk := stream.read(_CHUNK):
            if _STORE in tail + chunk:
                return True
            tail = chunk[1 - len(_STORE) :]
    return False


def _run_reader(path: Path, mime: str) -> bytes | None:
    """Return the output of ``c2pa_manifest``, or None if it fails."""
    command = [sys.executable, "-P", "-m", "realframe.provenance.c2pa_manifest", str(path.resolve()), mime]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with limited_process(command, _MEMORY_MB, _SECONDS, **streams) as process:
        output, _ = process.communicate(_read_trust_list())
    return output if process.returncode == 0 else None


def _read_trust_list() -> bytes:
    """Return the certificates of trusted signers, PEM; empty if there are none. Raises SetupError."""
    path = get_settings().trust_list
    if path is None:
        return b""
    try:
        certificates = path.read_bytes()
    except OSError as error:
        raise SetupError(path, f"cannot be read: {error.strerror}", _HINT) from error
    if b"-----BEGIN CERTIFICATE-----" not in certificates:
        raise SetupError(path, "contains no certificates", _HINT)
    return certificates
