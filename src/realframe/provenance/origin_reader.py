"""Read what a file states about its origin, and describe it in one or two sentences.

Parts that cannot be read are skipped, and the checks say so: nothing found is another state than not readable.
"""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from realframe.errors import MediaError
from realframe.media.limits import contain_failures
from realframe.media.signature import HEAD_BYTES, Signature, detect_signature
from realframe.provenance.content_credentials import CredentialsResult, read_credentials
from realframe.provenance.embedded_metadata import interpret_statement, read_image_metadata, read_video_metadata, skip_unreadable
from realframe.provenance.origin import (
    CheckName,
    Credentials,
    FileCheck,
    OriginKind,
    Provenance,
    Trace,
    find_source_type,
)

_NOTHING = "The file contains no information about its origin. This proves nothing: most programs and websites remove such data."
_NOTHING_READ = "No information about the origin of the file was found, but not all places in which it could stand could be checked."
_UNREADABLE = "The file cannot be read."
_NOT_MEDIA = "It is not an image or video that can be read, so its origin is unknown."
_SIGNED = {
    "trusted": "The signature is valid, and the signer is on the trust list.",
    "valid": "The signature is valid, but the signer is not on a trust list: anyone could have signed with this name.",
}
_TRACE_WORDS: dict[OriginKind, str] = {
    "ai-generated": "mentions AI",
    "camera": "names a camera",
    "edited": "names an editing program",
    "unknown": "names neither a camera nor AI",
}
"""What the metadata does, by its most important traces; the most important kind first."""
_FORGEABLE = "Anyone can write, copy or remove such data."
ORIGIN_CHECKS: tuple[CheckName, ...] = ("content-credentials", "metadata", "tools")
"""The checks of a file's origin, in the order of ``Provenance.checks``."""
_MAX_TRACES = 20
_MAX_STATEMENTS = 200  # a file can contain any number of them


def read_provenance(path: Path) -> Provenance:
    """Return what a file states about its origin; only an image or a video is read, whatever the name of the file.

    Raises:
        SetupError: the trust list of the settings cannot be used. No file, however broken, raises an error.
    """
    signature = _read_signature(path)
    if signature is None:
        return Provenance(None, (), _NOT_MEDIA, tuple(FileCheck(name, "could-not-check", _NOT_MEDIA) for name in ORIGIN_CHECKS))
    result = CredentialsResult.without_credentials("could-not-check", _UNREADABLE)
    with suppress(MediaError), contain_failures(path):
        result = read_credentials(path, signature.container)
    traces, failures = _find_traces(path, signature)
    checks = (result.check, *_check_metadata(traces, failures))
    return Provenance(result.credentials, tuple(traces), describe_origin(result, traces, checks), checks)


def doubt_checks(provenance: Provenance | None, fault: str) -> Provenance | None:
    """Return the origin of a file with no check that says ``not-found`` where a fault may have taken the part in which it stood.

    Args:
        provenance: of the file; None where it was not read.
        fault: what is wrong with the file, such as ``The file is damaged``; empty where nothing is.
    """
    if provenance is None or not fault:
        return provenance
    reason = f"{fault}, and the part in which this stood may be lost."
    doubtful = {check.name for check in provenance.checks if check.state == "not-found"}
    checks = (replace(check, state="could-not-check", reason=reason) if check.name in doubtful else check for check in provenance.checks)
    sentence = _NOTHING_READ if provenance.sentence == _NOTHING else provenance.sentence
    return replace(provenance, checks=tuple(checks), sentence=sentence)


def _read_signature(path: Path) -> Signature | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            signature = detect_signature(stream.read(HEAD_BYTES))
    except OSError:
        return None
    return signature if signature and signature.kind != "audio" else None


def _find_traces(path: Path, signature: Signature) -> tuple[list[Trace], list[str]]:
    """Return the traces in the metadata, without repetitions, and the names of what could not be read.

    If there are too many traces, the least important are dropped.
    """
    container, failures = signature.container, list[str]()
    is_image = signature.kind == "image"
    statements = read_image_metadata(path, container, failures) if is_image else read_video_metadata(path, container)
    readable = islice(skip_unreadable(statements, "the structure of the file", failures), _MAX_STATEMENTS)
    traces = dict.fromkeys(trace for statement in readable if (trace := interpret_statement(statement)))
    ranks = {kind: rank for rank, kind in enumerate(_TRACE_WORDS)}
    most_important = sorted(traces, key=lambda trace: ranks[trace.origin])[:_MAX_TRACES]
    return [trace for trace in traces if trace in most_important], failures


def _check_metadata(traces: Sequence[Trace], failures: Sequence[str]) -> Iterator[FileCheck]:
    """Yield the checks of the metadata and of the tools that it names."""
    reason = f"This cannot be read: {', '.join(dict.fromkeys(failures))}." if failures else ""
    checks: dict[CheckName, bool] = {"metadata": bool(traces), "tools": any(trace.tool for trace in traces)}
    for name, is_found in checks.items():
        yield FileCheck(name, "found" if is_found else "could-not-check" if failures else "not-found", reason)


def describe_origin(result: CredentialsResult, traces: Sequence[Trace], checks: Sequence[FileCheck]) -> str:
    """Return one or two sentences, for laypeople, about the origin of a file; also if it states nothing.

    Args:
        result: the content credentials.
        traces: in the metadata.
        checks: of both.
    """
    credentials = result.credentials
    if credentials is None:
        if traces:
            return f"Its metadata {_describe_traces(traces)}. {_FORGEABLE}"
        return _NOTHING if all(check.state == "not-found" for check in checks) else _NOTHING_READ
    metadata = f"; its metadata {_describe_traces(traces)}" if _metadata_adds_ai(credentials, traces) else ""
    if credentials.state == "invalid":
        problem = next(iter(credentials.problems), "")
        return f"Its content credentials are not valid, so their statements do not count{metadata}. {problem}".rstrip()
    signer = f", signed by {credentials.signed_by}," if credentials.signed_by else ""
    statement = f"state that it {result.description}" if result.description else "do not state how it was made"
    return f"Its content credentials{signer} {statement}{metadata}. {_SIGNED[credentials.state]}"


def _metadata_adds_ai(credentials: Credentials, traces: Sequence[Trace]) -> bool:
    """Return whether the metadata mentions AI and valid credentials do not."""
    mentions_ai = any(trace.origin == "ai-generated" for trace in traces)
    return mentions_ai and (credentials.origin != "ai-generated" or credentials.state == "invalid")


def _describe_traces(traces: Sequence[Trace]) -> str:
    """Return what the most important traces show, with up to two names."""
    kind = next(kind for kind in _TRACE_WORDS if any(trace.origin == kind for trace in traces))
    names = dict.fromkeys(_describe_trace(trace) for trace in traces if trace.origin == kind)
    return f"{_TRACE_WORDS[kind]} ({', '.join(list(names)[:2])})"


def _describe_trace(trace: Trace) -> str:
    """Return the tool that a trace names, or its value in plain words."""
    source_type = find_source_type(trace.value)
    return trace.tool or (f"it {source_type.description}" if source_type else textwrap.shorten(trace.value, 60, placeholder=" …"))
