"""The cleaned frames of one file, in memory, by the very code of the stages: what the detector sees is what the model was trained on."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realframe.config import Params
from realframe.errors import NoUsableFrameError
from realframe.files import sha256_of
from realframe.media.clean import FRAME, QualityRow, Square, judged, square_of
from realframe.media.extract import sampled
from realframe.media.harmonize import harmonize_file, harmonized_name
from realframe.media.probe import MediaFacts, probe

ProgressCallback = Callable[[str, int, int], None]
"""Is told the step, and how many of how many frames it has done; 0 of 0 where it has no parts."""


@dataclass(frozen=True)
class Frames:
    """What a file comes to.

    Attributes:
        facts: of the file as it was given.
        sha256: of its bytes, hex.
        pictures: uint8 RGB (N, size, size, 3), N at least 1.
        indices: of each among the sampled frames, int64 (N,).
        times_s: when each is shown, seconds since the first frame, float64 (N,).
        quality: one row per sampled frame, also of those dropped.
    """

    facts: MediaFacts
    sha256: str
    pictures: NDArray[np.uint8]
    indices: NDArray[np.int64]
    times_s: NDArray[np.float64]
    quality: list[QualityRow]


def no_progress(step: str, count: int, of: int) -> None:
    """Report nothing."""


def frames_of(path: Path, params: Params, report: ProgressCallback = no_progress) -> Frames:
    """Probe, harmonize, sample and clean one file. Its frames are in no file; only what harmonization rewrites is, for as long as it is read.

    Each frame is made a square as soon as it is decoded, so that the memory depends on the number of squares, not on the size of frames.

    Args:
        path: the file; only read.
        params: how files become frames.
        report: is told of ``probing`` once, and of ``decoding`` with each frame, how many are done of how many.

    Raises:
        MediaError: the file can't be used, with the reason.
    """
    report("probing", 0, 0)
    facts = probe(path, params.limits)
    sha256 = sha256_of(path)
    report("decoding", 0, 0)
    with _harmonized(path, facts, sha256, params) as source:
        times, squares = _squares(source, path, probe(source, params.limits), params, report)
    all_judged = list(judged(squares, sha256, times, params.clean))
    rows = [row for row, _ in all_judged]
    refuse_empty(rows, path)
    indices = np.array([row.index for row in rows if row.kept], np.int64)
    pictures = np.empty((len(indices), params.clean.size, params.clean.size, 3), np.uint8)
    for place, index in enumerate(indices):
        pictures[place] = np.asarray(all_judged[index][1])
    return Frames(facts, sha256, pictures, indices, np.array(times, np.float64)[indices], rows)


@contextmanager
def _harmonized(path: Path, facts: MediaFacts, sha256: str, params: Params) -> Iterator[Path]:
    """Give the file from which frames are taken: what harmonization makes of it, or itself where harmonization rewrites nothing."""
    if not params.harmonize.rewrites:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        harmonized = Path(folder) / harmonized_name(sha256, facts.kind, params.harmonize)
        harmonize_file(path, facts, params.harmonize, params.limits, harmonized)
        yield harmonized


def _squares(source: Path, name: Path, facts: MediaFacts, params: Params, report: ProgressCallback) -> tuple[list[float], list[Square]]:
    """Return when each sampled frame is shown, and its square."""

    def square(frame: tuple[str, bytes], of: int) -> Square:
        (place, suffix), data = frame[0].split("."), frame[1]
        made = square_of(BytesIO(data), FRAME[suffix], params.clean, params.limits, name)
        report("decoding", int(place) + 1, of)
        return made

    if facts.kind == "image":
        return [0.0], [square_of(source, facts.container, params.clean, params.limits, name)]
    return sampled(source, facts.container, params.extract, params.limits, square)


def refuse_empty(quality: list[QualityRow], name: object) -> None:
    """Raise NoUsableFrameError where no frame of the item called ``name`` passed."""
    if not any(row.kept for row in quality):
        reasons = ", ".join(sorted({row.reason for row in quality}))
        raise NoUsableFrameError(
            name, f"has no usable frame: {len(quality)} looked at, all {reasons}", "Lower clean.min_std or clean.min_sharpness."
        )
