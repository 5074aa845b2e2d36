"""Read what a file states about its origin, and describe it in one or two sentences. Parts that cannot be read are skipped."""

import textwrap
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from realframe.errors import MediaError
from realframe.media.limits import contain_failures
from realframe.media.signature import HEAD_BYTES, Signature, detect_signature
from realframe.provenance.content_credentials import CredentialsResult, read_credentials
from realframe.provenance.embedded_metadata import interpret_statement, read_image_metadata, read_video_metadata, skip_unreadable
from realframe.provenance.origin import OriginKind, Provenance, Trace, find_source_type

_NOTHING = "The file contains no information about its origin. This proves nothing: most programs and websites remove such data."
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
_MAX_TRACES = 20
_MAX_STATEMENTS = 200  # a file can contain any number of them


def read_provenance(path: Path) -> Provenance:
    """Return what a file states about its origin; only an image or a video is read, whatever the name of the file.

    Raises:
        SetupError: the trust list of the settings cannot be used. No file, however broken, raises an error.
    """
    signature = _read_signature(path)
    if signature is None:
        return Provenance(None, (), _NOT_MEDIA)
    result: CredentialsResult | None = None
    traces: tuple[Trace, ...] = ()
    with suppress(MediaError), contain_failures(path):
        result = read_credentials(path, signature.container)
    with suppress(MediaError), contain_failures(path):
        traces = tuple(_find_traces(path, signature))
    return Provenance(result.credentials if result else None, traces, describe_origin(result, traces))


def _read_signature(path: Path) -> Signature | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            signature = detect_signature(stream.read(HEAD_BYTES))
    except OSError:
        return None
    return signature if signature and signature.kind != "audio" else None


def _find_traces(path: Path, signature: Signature) -> list[Trace]:
    """Return the traces in the metadata, without repetitions; if there are too many, the least important are dropped."""
    read_metadata = read_image_metadata if signature.kind == "image" else read_video_metadata
    statements = islice(skip_unreadable(read_metadata(path, signature.container)), _MAX_STATEMENTS)
    traces = dict.fromkeys(trace for statement in statements if (trace := interpret_statement(statement)))
    ranks = {kind: rank for rank, kind in enumerate(_TRACE_WORDS)}
    most_important = sorted(traces, key=lambda trace: ranks[trace.origin])[:_MAX_TRACES]
    return [trace for trace in traces if trace in most_important]


def describe_origin(result: CredentialsResult | None, traces: Sequence[Trace]) -> str:
    """Return one or two sentences, for laypeople, about the origin of a file; also if it states nothing.

    Args:
        result: the content credentials; None if there are none.
        traces: in the metadata.
    """
    if result is None:
        return f"Its metadata {_describe_traces(traces)}. {_FORGEABLE}" if traces else _NOTHING
    metadata = f"; its metadata {_describe_traces(traces)}" if _metadata_adds_ai(result, traces) else ""
    if result.credentials.state == "invalid":
        problem = next(iter(result.credentials.problems), "")
        return f"Its content credentials are not valid, so their statements do not count{metadata}. {problem}".rstrip()
    signer = f", signed by {result.credentials.signed_by}," if result.credentials.signed_by else ""
    statement = f"state that it {result.description}" if result.description else "do not state how it was made"
    return f"Its content credentials{signer} {statement}{metadata}. {_SIGNED[result.credentials.state]}"


def _metadata_adds_ai(result: CredentialsResult, traces: Sequence[Trace]) -> bool:
    """Return whether the metadata mentions AI and valid credentials do not."""
    mentions_ai = any(trace.origin == "ai-generated" for trace in traces)
    return mentions_ai and (result.credentials.origin != "ai-generated" or result.credentials.state == "invalid")


def _describe_traces(traces: Sequence[Trace]) -> str:
    """Return what the most important traces show, with up to two names."""
    kind = next(kind for kind in _TRACE_WORDS if any(trace.origin == kind for trace in traces))
    names = dict.fromkeys(_describe_trace(trace) for trace in traces if trace.origin == kind)
    return f"{_TRACE_WORDS[kind]} ({', '.join(list(names)[:2])})"


def _describe_trace(trace: Trace) -> str:
    """Return the tool that a trace names, or its value in plain words."""
    source_type = find_source_type(trace.value)
    return trace.tool or (f"it {source_type.description}" if source_type else textwrap.shorten(trace.value, 60, placeholder=" …"))
