"""Test that the frames of one file in memory equal those that the stages write, pixel by pixel."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from realframe.config import CleanParams, Crop, Params, resolve_params
from realframe.errors import LimitExceededError, MediaError
from realframe.files import compute_sha256
from realframe.media.clean import clean_shard
from realframe.media.extract import extract_frames
from realframe.media.file_frames import load_file_frames
from realframe.media.harmonize import harmonize_file, harmonized_file_name
from realframe.media.probe import probe_media
from realframe.media.shards import read_shard_frames
from tests.media.numbered_media import MakeVideo, VariableRate, extract_params, make_texture, run_ffmpeg_command

STILLS = {
    "grey": ("L", "png"),
    "bits": ("1", "png"),
    "palette": ("P", "png"),
    "alpha": ("RGBA", "png"),
    "grey-alpha": ("LA", "png"),
    "sixteen": ("I;16", "png"),
    "cmyk": ("CMYK", "jpg"),
    "colour": ("RGB", "jpg"),
    "webp": ("RGBA", "webp"),
    "heic": ("RGB", "heic"),
    "avif": ("RGB", "avif"),
    "tiff": ("CMYK", "tif"),
    "bmp": ("RGB", "bmp"),
    "gif": ("P", "gif"),
}


@pytest.fixture(scope="module")
def params(root: Path) -> Params:
    strict = CleanParams(size=64, fit="pad", min_std=4.0, min_sharpness=4.0, duplicate_distance=2)
    return resolve_params(root / "params.yaml", root / "recipes").params.model_copy(
        update={"clean": strict, "extract": extract_params(fps=3)}
    )


def run_stages(path: Path, params: Params, folder: Path) -> tuple[object, ...]:
    """What the functions of the stages leave in the clean shard, and their rows."""
    media_id, facts, source = compute_sha256(path), probe_media(path, params.limits), path
    if params.harmonize.rewrites_files:
        source = folder / harmonized_file_name(media_id, facts.kind, params.harmonize)
        harmonize_file(path, facts, params.harmonize, params.limits, source)
    extract_frames(source, media_id, probe_media(source, params.limits), params.extract, params.limits, folder / "sampled.tar")
    rows = clean_shard(folder / "sampled.tar", params.clean, params.limits, folder / "clean.tar")
    return *read_shard_frames(folder / "clean.tar"), rows


def compare_with_stages(path: Path, params: Params, folder: Path) -> int:
    """Assert that both ways give the compare_with_stages; return how many frames there are."""
    pictures, indices, times, rows = run_stages(path, params, folder)
    frames = load_file_frames(path, params)
    for expected, found in ((pictures, frames.pictures), (indices, frames.indices), (times, frames.times_s)):
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
    assert frames.quality == rows
    return len(frames.pictures)


def write_transparent(folder: Path, suffix: str) -> Path:
    """An animation of five unlike pictures with holes."""
    pictures = [make_texture(seed=seed).convert("RGBA") for seed in range(5)]
    for place, picture in enumerate(pictures):
        picture.paste((0, 0, 0, 0), (10 * place, 0, 10 * place + 30, 40))
    path = folder / f"holes.{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=300, disposal=2)
    return path


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_videos(numbered: MakeVideo, params: Params, tmp_path: Path, encoding: str) -> None:
    params = params.model_copy(update={"extract": extract_params(fps=3, encoding=encoding)})
    turned, deep = tmp_path / "turned.mp4", tmp_path / "deep.mp4"
    run_ffmpeg_command("-display_rotation", "-90", "-i", str(numbered("h264", "mp4")), "-c", "copy", str(turned))
    run_ffmpeg_command("-i", str(numbered("h264", "mp4")), "-pix_fmt", "yuv420p10le", "-c:v", "libx264", str(deep))
    for path in (numbered("h264", "mp4"), numbered("h264", "mkv", setpts=VariableRate().setpts), turned, deep):
        assert compare_with_stages(path, params, tmp_path) > 2


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_transparency(params: Params, tmp_path: Path, encoding: str, suffix: str) -> None:
    params = params.model_copy(update={"extract": extract_params(fps=3, encoding=encoding)})
    assert compare_with_stages(write_transparent(tmp_path, suffix), params, tmp_path) == (4 if suffix == "gif" else 1)


@pytest.mark.parametrize("name", STILLS)
def test_images_of_all_kinds(params: Params, tmp_path: Path, name: str) -> None:
    mode, suffix = STILLS[name]
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = make_texture() if mode != "I;16" else Image.fromarray(np.asarray(make_texture().convert("L")).astype(np.uint16) * 256)
    picture = picture if mode == "I;16" else picture.convert(mode)
    picture.save(tmp_path / f"still.{suffix}", **({"exif": exif} if suffix in ("jpg", "png", "webp", "heic") else {}))
    assert compare_with_stages(tmp_path / f"still.{suffix}", params, tmp_path) == 1


@pytest.mark.parametrize("reencode", [True, False])
def test_harmonized_files(numbered: MakeVideo, params: Params, photo: Path, tmp_path: Path, reencode: bool) -> None:
    harmonization = params.harmonize.model_copy(
        update={"crop": Crop(image=48, video=96), "seconds": 1.0, "reencode": reencode, "fps": 12.0}
    )
    params = params.model_copy(update={"harmonize": harmonization})
    assert compare_with_stages(numbered("h264", "mp4"), params, tmp_path) == 3
    assert compare_with_stages(photo, params, tmp_path) == 1


def test_a_recording_whose_decoder_returns_other_frames_than_its_packets_announce(
    numbered: MakeVideo, params: Params, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.mkv"
    run_ffmpeg_command("-i", str(numbered("h264", "mkv")), "-c", "copy", "-copyinkf", "-bsf:v", "noise=drop=lt(n\\,7)", str(cut))
    assert compare_with_stages(cut, params, tmp_path) > 2


def test_progress_is_reported(numbered: MakeVideo, params: Params, photo: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    frames = load_file_frames(numbered("h264", "mp4"), params, lambda *step: calls.append(step))
    assert calls == [("probing", 0, 0), ("decoding", 0, 0), *[("decoding", count, 8) for count in range(1, 9)]]
    assert len(frames.quality) == 8
    calls.clear()
    load_file_frames(photo, params, lambda *step: calls.append(step))
    assert calls == [("probing", 0, 0), ("decoding", 0, 0)]


def test_the_digest_is_the_sha256_of_the_file(params: Params, photo: Path) -> None:
    assert load_file_frames(photo, params).sha256 == compute_sha256(photo)


def test_no_frame_is_written_to_a_file(
    numbered: MakeVideo, params: Params, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for path in (numbered("h264", "mp4"), photo):
        load_file_frames(path, params, lambda *_: seen.extend(tmp_path.iterdir()))
    assert [path for path in seen if path != photo] == []


def test_an_error_in_the_callback_stops_the_decoder(numbered: MakeVideo, params: Params) -> None:
    class StopError(Exception): ...

    def report(step: str, count: int, of: int) -> None:
        if count == 2:
            raise StopError

    with pytest.raises(StopError):
        load_file_frames(numbered("h264", "mp4"), params.model_copy(update={"extract": extract_params(every=1)}), report)
    assert not any("ffmpeg" in child.name() for child in psutil.Process().children(recursive=True))


def test_a_slow_callback_counts_toward_the_time_limit(numbered: MakeVideo, params: Params) -> None:
    hurried = params.model_copy(update={"limits": params.limits.model_copy(update={"timeout_s": 0.01})})
    with pytest.raises(LimitExceededError, match=r"limits\.timeout_s"):
        load_file_frames(numbered("h264", "mp4"), hurried)


def test_a_video_that_is_cut_short_is_refused(numbered: MakeVideo, params: Params, tmp_path: Path) -> None:
    data = bytearray(numbered("h264", "mp4").read_bytes())
    middle = data.index(b"mdat") + len(data) // 3
    data[middle : middle + 600] = bytes(range(200)) * 3
    (tmp_path / "damaged.mp4").write_bytes(data)
    with pytest.raises(MediaError, match="cut short or damaged"):
        load_file_frames(tmp_path / "damaged.mp4", params.model_copy(update={"extract": extract_params(every=1)}))


@pytest.mark.slow
def test_memory_depends_on_the_squares_not_on_the_frame_size(params: Params, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    noise = ["-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=24:duration=1", "-vf", "noise=alls=30:allf=t"]
    run_ffmpeg_command(*noise, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", str(large))
    peaks = [peak_mib(large, params, frames, tmp_path / "run.json") for frames in (2, 24)]
    assert peaks[1] - peaks[0] < 40  # as PNG, 22 such frames take 100 MiB


def peak_mib(path: Path, params: Params, frames: int, calls: Path) -> int:
    """Return the peak memory of a process of its own that looks at so many frames."""
    calls.write_text(params.model_copy(update={"extract": extract_params(uniform=frames)}).model_dump_json(exclude_none=True))
    code = """
import resource, sys
from pathlib import Path
from realframe.media.file_frames import load_file_frames
from realframe.config import Params
print(len(load_file_frames(Path(sys.argv[1]), Params.model_validate_json(Path(sys.argv[2]).read_text())).quality))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code, str(path), str(calls)], capture_output=True, text=True, check=True)
    looked_at, peak = (int(word) for word in done.stdout.split())
    assert looked_at == frames
    return peak
