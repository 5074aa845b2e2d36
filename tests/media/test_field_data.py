"""Test the probe with the manifest of the field data: 535 real files."""

import csv
from pathlib import Path

import pytest

from realframe.config import Limits, resolve_params
from realframe.files import compute_sha256
from realframe.media.file_frames import load_file_frames
from realframe.media.probe import probe_media


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "MANIFEST.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_every_file_has_the_facts_in_the_manifest(field_data: Path, limits: Limits) -> None:
    rows = manifest(field_data)
    for row in rows:
        facts = probe_media(field_data / row["path"], limits)
        assert (facts.kind, facts.codec, facts.bytes) == (row["kind"], row["codec"], int(row["bytes"])), row["path"]
        assert (facts.width, facts.height) == (int(row["width"]), int(row["height"])), row["path"]
        if facts.kind == "video":
            assert facts.fps == pytest.approx(float(row["fps"]), rel=0.05), row["path"]
            assert facts.duration_s == pytest.approx(float(row["duration_s"]), abs=0.15), row["path"]
    assert len(rows) == 535


def test_real_clips_and_photos_give_frames(field_data: Path, root: Path) -> None:
    params = resolve_params(root / "params.yaml", root / "recipes").params
    for row in manifest(field_data)[::60]:
        frames = load_file_frames(field_data / row["path"], params)
        assert frames.pictures.shape[1:] == (256, 256, 3)
        assert compute_sha256(field_data / row["path"]) == row["sha256"]
