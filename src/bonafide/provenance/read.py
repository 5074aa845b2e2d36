"""What a file says of its own origin, read out of its bytes. Whatever can't be read is simply not there."""

from itertools import islice
from pathlib import Path

from bonafide.media.signature import HEAD_BYTES, Signature, sniff
from bonafide.provenance.credentials import credentials_of
from bonafide.provenance.image_traces import image_statements
from bonafide.provenance.provenance import Provenance, Trace
from bonafide.provenance.sentence import sentence
from bonafide.provenance.statement import judged, readable
from bonafide.provenance.video_traces import video_statements

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
