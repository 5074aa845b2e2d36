"""Read the content credentials (C2PA) of a file, in a separate process within limits, if its bytes contain a manifest store."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from realframe.errors import SetupError
from realframe.media.limits import limited_process
from realframe.media.signature import MEDIA_TYPES
from realframe.provenance.origin import CheckState, Credentials, FileCheck
from realframe.settings import get_settings

CONTAINERS = frozenset({"jpeg", "png", "webp", "heif", "avif", "tiff", "gif", "mp4", "mov", "avi"})
"""The containers that can have content credentials."""

_STORE = b"jumdc2pa"  # start of a manifest store's description box in every container: ISO/IEC 19566-5, C2PA 2.x 11.1.4.2
_REMOTE = b"dcterms:provenance"  # the XMP property that names a manifest store elsewhere: C2PA 2.x 11.5
_MEMORY_MB = 1536  # address space of the reading process: it needs 50 MiB, and twice the bytes of a JPEG
_SECONDS = 60.0
_CHUNK = 1 << 20
_UNREADABLE = "The file holds such a block, but it is damaged, or too large to be read."
_ONLY_MARK = "The file holds the mark of such a block, but no block that can be read."
_ELSEWHERE = "They are not in the file: it names a server that has them, and no server is asked."
_HINT = "Set REALFRAME_TRUST_LIST to a PEM file, or unset it."


@dataclass(frozen=True)
class CredentialsResult:
    """Content credentials and what they state.

    Attributes:
        check: whether there are any, or why that could not be checked.
        credentials: the credentials as shown in a result; None where none can be read.
        description: a predicate about the file, such as ``was made by AI``; empty if they do not state how it was made.
    """

    check: FileCheck
    credentials: Credentials | None = None
    description: str = ""

    @classmethod
    def without_credentials(cls, state: CheckState, reason: str = "") -> Self:
        """Return the result of a file of which no credentials were read."""
        return cls(FileCheck("content-credentials", state, reason))


def read_credentials(path: Path, container: str) -> CredentialsResult:
    """Return the content credentials of a file in ``container``, or why there are none.

    Raises:
        OSError: the file cannot be read.
        SetupError: the trust list of the settings cannot be used.
    """
    if container not in CONTAINERS:
        return CredentialsResult.without_credentials("could-not-check", f"They are not read from {container.upper()} files.")
    marks = _find_marks(path)
    if not marks:
        return CredentialsResult.without_credentials("not-found")
    output = _run_reader(path, MEDIA_TYPES[container])
    if output is None:
        return CredentialsResult.without_credentials("could-not-check", _UNREADABLE)
    result = json.loads(output)
    if result["is_remote"]:
        return CredentialsResult.without_credentials("could-not-check", _ELSEWHERE)
    if result["credentials"] is None:
        has_mark = _STORE in marks
        return CredentialsResult.without_credentials("could-not-check" if has_mark else "not-found", _ONLY_MARK if has_mark else "")
    problems = tuple(result["credentials"].pop("problems"))
    credentials = Credentials(**result["credentials"], problems=problems)
    return CredentialsResult(FileCheck("content-credentials", "found"), credentials, result["description"])


def _find_marks(path: Path) -> set[bytes]:
    """Return which of the byte sequences are in a file that every file with content credentials, or with their address, contains."""
    marks, tail = set[bytes](), b""
    with path.open("rb") as stream:  # not memory-mapped: a file that shrinks meanwhile would crash the process
        while chunk := stream.read(_CHUNK):
            marks |= {mark for mark in (_STORE, _REMOTE) if mark in tail + chunk}
            tail = chunk[1 - len(_REMOTE) :]
    return marks


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
