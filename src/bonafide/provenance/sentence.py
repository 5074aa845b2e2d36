"""What a file says of its origin, in one or two sentences for a layman."""

import textwrap
from collections.abc import Sequence

from bonafide.provenance.credentials import Statement
from bonafide.provenance.provenance import Says, Trace
from bonafide.provenance.sources import source_of

_NOTHING = "Nothing in the file tells of its origin. That says nothing: most programs and web sites strip such data."
_SIGNED = {
    "trusted": "The signature is valid, and its signer is on the trust list.",
    "valid": "The signature is valid, but its signer is not on a trust list: anybody could have signed in this name.",
}
_TRACED: dict[Says, str] = {
    "ai-generated": "speak of AI",
    "camera": "name a camera",
    "edited": "name an editing program",
    "unknown": "name neither a camera nor AI",
}
_FORGEABLE = "Anybody can write, copy or remove such data."


def sentence(said: Statement | None, traces: Sequence[Trace]) -> str:
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


def _adds(said: Statement, traces: Sequence[Trace]) -> bool:
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
