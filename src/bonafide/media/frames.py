"""The cleaned frames of one file, by the very code of the stages: what the detector sees is what the model was trained on."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonafide.errors import NoUsableFrameError
from bonafide.files import sha256_of
from bonafide.media.clean import QualityRow, clean
from bonafide.media.cure import cure_file, cured_name
from bonafide.media.extract import extract
from bonafide.media.probe import MediaFacts, probe
from bonafide.media.shards import read_frames
from bonafide.params import Params


@dataclass(frozen=True)
class Frames:
    """What a file comes to.

    Attributes:
        facts: of the file as it was given.
        pictures: uint8 RGB (N, size, size, 3), N at least 1.
        indices: of each among the sampled frames, int64 (N,).
        times_s: when each is shown, seconds since the first frame, float64 (N,).
        quality: one row per sampled frame, also of those dropped.
    """

    facts: MediaFacts
    pictures: NDArray[np.uint8]
    indices: NDArray[np.int64]
    times_s: NDArray[np.float64]
    quality: list[QualityRow]


def frames_of(path: Path, params: Params) -> Frames:
    """Probe, cure, extract and clean one file in a temporary folder.

    Raises:
        MediaError: the file can't be used, with the reason.
    """
    facts = probe(path, params.limits)
    with tempfile.TemporaryDirectory() as folder:
        sampled, cleaned = Path(folder) / "sampled.tar", Path(folder) / "cleaned.tar"
        media_id, source = sha256_of(path), path
        if params.cure.rewrites:
            source = Path(folder) / cured_name(media_id, facts.kind, params.cure)
            cure_file(path, facts, params.cure, params.limits, source)
        extract(source, media_id, probe(source, params.limits), params.extract, params.limits, sampled)
        quality = clean(sampled, params.clean, params.limits, cleaned, path)
        refuse_empty(quality, path)
        pictures, indices, times = read_frames(cleaned)
    return Frames(facts, pictures, indices, times, quality)


def refuse_empty(quality: list[QualityRow], name: object) -> None:
    """Raise NoUsableFrameError where no frame of the item called ``name`` passed."""
    if not any(row.kept for row in quality):
        reasons = ", ".join(sorted({row.reason for row in quality}))
        raise NoUsableFrameError(
            name, f"has no usable frame: {len(quality)} looked at, all {reasons}", "Lower clean.min_std or clean.min_sharpness."
        )
