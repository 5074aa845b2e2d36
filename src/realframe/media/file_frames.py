"""Load the cleaned frames of one file into memory with the code of the stages, so that serving sees what the model was trained on."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realframe.config import Params
from realframe.files import compute_sha256
from realframe.media.clean import FRAME_CONTAINERS, FrameSquare, QualityRow, assess_squares, check_usable_frames, make_square
from realframe.media.extract import SampledVideo, sample_video
from realframe.media.harmonize import harmonize_file, harmonized_file_name
from realframe.media.limits import contain_failures
from realframe.media.probe import MediaFacts, probe_media
from realframe.progress import ProgressCallback, no_progress


@dataclass(frozen=True)
class FileFrames:
    """The cleaned frames of one file.

    Attributes:
        facts: of the original file.
        sha256: of its bytes, hex.
        pictures: the kept frames, uint8 RGB (N, size, size, 3), N at least 1.
        indices: of each kept frame among the sampled frames, int64 (N,).
        times_s: time of each kept frame, seconds since the first frame, float64 (N,).
        quality: one row per sampled frame, also for those dropped.
        damaged_share: share of the pixels of an image, or of the frames of a video, that are damaged or missing, below
            ``MAX_DAMAGED_SHARE``; None where no damage is found.
    """

    facts: MediaFacts
    sha256: str
    pictures: NDArray[np.uint8]
    indices: NDArray[np.int64]
    times_s: NDArray[np.float64]
    quality: list[QualityRow]
    damaged_share: float | None


def load_file_frames(path: Path, params: Params, on_progress: ProgressCallback = no_progress) -> FileFrames:
    """Probe, harmonize, sample and clean one file. Nothing is written but the harmonized file, which is deleted after it is read.

    Each frame becomes a square as soon as it is decoded, so that memory depends on the number of squares, not on the size of frames.

    Args:
        path: the file; not changed.
        params: how files become frames.
        on_progress: called with the step ``probing`` once, and with ``decoding`` at each frame.

    Raises:
        MediaError: the file cannot be used; the error states the reason.
    """
    on_progress("probing", 0, 0)
    facts = probe_media(path, params.limits)
    with contain_failures(path):
        sha256 = compute_sha256(path)
    on_progress("decoding", 0, 0)
    with _harmonized_source(path, facts, sha256, params) as (source, original_damage):
        sampled = _load_squares(source, path, probe_media(source, params.limits), params, on_progress)
    assessed = list(assess_squares(sampled.frames, sha256, sampled.times_s, params.clean))
    rows = [row for row, _ in assessed]
    check_usable_frames(rows, path)
    indices = np.array([row.index for row in rows if row.is_kept], np.int64)
    pictures = np.empty((len(indices), params.clean.size, params.clean.size, 3), np.uint8)
    for position, index in enumerate(indices):
        pictures[position] = np.asarray(assessed[index][1])
    return FileFrames(
        replace(facts, is_interlaced=facts.is_interlaced or sampled.is_interlaced),
        sha256,
        pictures,
        indices,
        np.array(sampled.times_s, np.float64)[indices],
        rows,
        sampled.damaged_share if original_damage is None else original_damage,
    )


@contextmanager
def _harmonized_source(path: Path, facts: MediaFacts, sha256: str, params: Params) -> Iterator[tuple[Path, float | None]]:
    """Yield the file to extract frames from, and the damage found while it was written.

    The file is a temporary harmonized file, or ``path`` if harmonization rewrites no files.
    """
    if not params.harmonize.rewrites_files:
        yield path, None
        return
    with tempfile.TemporaryDirectory() as folder:
        harmonized = Path(folder) / harmonized_file_name(sha256, facts.kind, params.harmonize)
        damaged_share = harmonize_file(path, facts, params.harmonize, params.limits, harmonized)
        yield harmonized, damaged_share


def _load_squares(
    source: Path, subject: Path, facts: MediaFacts, params: Params, on_progress: ProgressCallback
) -> SampledVideo[FrameSquare]:
    """Return the squares of the sampled frames of a video, or of an image, which is one frame."""

    def convert(frame: tuple[str, bytes], frame_count: int) -> FrameSquare:
        (position, suffix), data = frame[0].split("."), frame[1]
        square = make_square(BytesIO(data), FRAME_CONTAINERS[suffix], params.clean, params.limits, subject)
        on_progress("decoding", int(position) + 1, frame_count)
        return square

    if facts.kind == "image":
        square = make_square(source, facts.container, params.clean, params.limits, subject)
        return SampledVideo([0.0], [square], square.damaged_share, is_interlaced=False)
    return sample_video(source, facts.container, params.extract, params.limits, convert)
