"""What a file says of its origin, in one or two sentences for a layman.

What a file says of its own origin, read out of its bytes. Whatever can't be read is simply not there.
"""

import textwrap
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from realframe.media.signature import HEAD_BYTES, Signature, sniff
from realframe.provenance.content_credentials import CredentialsResult, credentials_of
from realframe.provenance.embedded_metadata import image_statements, judged, readable, video_statements
from realframe.provenance.origin import OriginKind, Provenance, Trace, source_of

_NOTHING = "Nothing in the file tells of its origin. That says nothing: most programs and web sites strip such data."
_SIGNED = {
    "trusted": "The signature is valid, and its signer is on the trust list.",
    "valid": "The signature is valid, but its signer is not on a trust list: anybody could have signed in this name.",
}
_TRACED: dict[OriginKind, str] = {
    "ai-generated": "speak of AI",
    "camera": "name a camera",
    "edited": "name an editing program",
    "unknown": "name neither a camera nor AI",
}
_FORGEABLE = "Anybody can write, copy or remove such data."


def sentence(said: CredentialsResult | None, traces: Sequence[Trace]) -> str:
    """Return the words for what was found; also for nothing.

    Args:
        said: the content credentials; None where there are none.
        traces: in the metadata.
    """
    if said is None:
        return f"Its metadata {_found(traces)}. {_FORGEABLE}" if traces else _NOTHING
    besides = f"; its metadata {_found(traces)}" if _adds(said, traces) else ""
    if said.credentials.state == "invalid":
        problem = next(iter(said.credentials.problems), "")
        return f"It carries content credentials that do not hold, so what they say is worth nothing{besides}. {problem}".rstrip()
    signer = f", signed by {said.credentials.signed_by}," if said.credentials.signed_by else ""
    words = f"say that it {said.words}" if said.words else "do not say how it was made"
    return f"Its content credentials{signer} {words}{besides}. {_SIGNED[said.credentials.state]}"


def _adds(said: CredentialsResult, traces: Sequence[Trace]) -> bool:
    """Metadata that speak of AI are told unless the credentials do so too."""
    ai = any(trace.says == "ai-generated" for trace in traces)
    return ai and (said.credentials.says != "ai-generated" or said.credentials.state == "invalid")


def _found(traces: Sequence[Trace]) -> str:
    """Return what the weightiest traces amount to, with the names in them."""
    says = next(word for word in _TRACED if any(trace.says == word for trace in traces))
    names = dict.fromkeys(_name(trace) for trace in traces if trace.says == says)
    return f"{_TRACED[says]} ({', '.join(list(names)[:2])})"


def _name(trace: Trace) -> str:
    """Return the tool that a trace names, else its value as people say it."""
    source = source_of(trace.value)
    return trace.tool or (f"it {source.words}" if source else textwrap.shorten(trace.value, 60, placeholder=" …"))


_MOST_TRACES = 20
_MOST_STATEMENTS = 200  # a file can hold as many as it likes
_ORDER = {"ai-generated": 0, "camera": 1, "edited": 2, "unknown": 3}


def provenance_of(path: Path) -> Provenance:
    """Return what ``path`` says of its origin; of no other file than an image or a video, whatever its name, anything is read.

    Raises:
        SetupError: the trust list of the settings can't be used. No file, however broken, makes it raise.
    """
    signature = _signature(path)
    if signature is None:
        return Provenance(None, (), "It is no image or video that can be read, so it tells nothing of its origin.")
    try:
        said = credentials_of(path, signature.container)
    except OSError:
        said = None
    traces = tuple(_traces(path, signature))
    return Provenance(said.credentials if said else None, traces, sentence(said, traces))


def _signature(path: Path) -> Signature | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            found = sniff(stream.read(HEAD_BYTES))
    except OSError:
        return None
    return found if found and found.kind != "audio" else None


def _traces(path: Path, signature: Signature) -> list[Trace]:
    """Return what was found, each once; where there is too much, what says least goes first."""
    read = image_statements if signature.kind == "image" else video_statements
    statements = islice(readable(read(path, signature.container)), _MOST_STATEMENTS)
    found = dict.fromkeys(trace for statement in statements if (trace := judged(statement)))
    kept = sorted(found, key=lambda trace: _ORDER[trace.says])[:_MOST_TRACES]
    return [trace for trace in found if trace in kept]
