"""Fixtures of the media tests."""

from pathlib import Path

import pytest

from realframe.config import CleanParams, Limits
from tests.media.numbered_media import ENCODERS, MakeVideo, can_encode, make_texture, write_numbered


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> MakeVideo:
    """Give the path of a numbered video of 60 frames; each kind is rendered once a session."""
    folder, made = tmp_path_factory.mktemp("numbered"), {}

    def make(codec: str = "h264", suffix: str = "mp4", setpts: str = "PTS", options: tuple[str, ...] = ()) -> Path:
        key = (codec, suffix, setpts, options)
        if key not in made:
            if not can_encode(codec):
                pytest.skip(f"this FFmpeg has no encoder {ENCODERS[codec][0]} for {codec}")
            made[key] = folder / f"{len(made)}.{suffix}"
            write_numbered(made[key], codec, setpts=setpts, options=options)
        return made[key]

    return make


@pytest.fixture(scope="session")
def limits() -> Limits:
    return Limits(max_bytes=10**9, max_pixels=50_000_000, max_duration_s=600, timeout_s=60, max_memory_mb=2048)


@pytest.fixture(scope="session")
def clean_params() -> CleanParams:
    return CleanParams(size=64, fit="crop", min_std=4.0, min_sharpness=4.0, duplicate_distance=-1)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A JPEG of 96 x 64 with texture."""
    path = tmp_path / "photo.jpg"
    make_texture().save(path, quality=92)
    return path
