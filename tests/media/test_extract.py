"""Test the extraction of frames with videos whose frames show their own number."""

import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest

from realframe.config import Limits
from realframe.errors import LimitExceededError, UndecodableError
from realframe.files import compute_sha256
from realframe.media import decode
from tests.media.numbered_media import (
    FPS,
    FRAMES,
    HEIGHT,
    WIDTH,
    MakeVideo,
    VariableRate,
    extract_and_read,
    extract_params,
    numbered_frame,
    read_number,
    run_ffmpeg_command,
)

VIDEOS = [
    ("h264", "mp4"),
    ("h264", "mov"),
    ("h264", "mkv"),
    ("hevc", "mp4"),
    ("hevc", "mkv"),
    ("vp9", "webm"),
    ("vp9", "mkv"),
    ("av1", "mp4"),
    ("av1", "webm"),
    ("mpeg4", "mp4"),
    ("mpeg4", "avi"),
    ("mjpeg", "mov"),
    ("mjpeg", "avi"),
    ("gif", "gif"),
]
RULES = {
    "one a second": ({"fps": 1}, [0, 24, 48]),
    "every seventh": ({"every": 7}, list(range(0, FRAMES, 7))),
    "uniform": ({"uniform": 4}, [0, 20, 39, 59]),
}


def numbers(frames: list[np.ndarray]) -> list[int]:
    return [read_number(frame) for frame in frames]


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "suffix"), VIDEOS)
def test_the_sampled_frames_are_those_expected(numbered: MakeVideo, limits: Limits, tmp_path: Path, codec: str, suffix: str) -> None:
    for rule, expected in RULES.values():
        if codec == "gif" and "fps" in rule:
            continue  # its clock has steps of 1/100 s: the next test is about that
        frames, facts = extract_and_read(numbered(codec, suffix), extract_params(**rule), limits, tmp_path / "shard.tar")
        assert numbers(frames) == expected
        assert facts["times_s"] == pytest.approx([number / FPS for number in expected], abs=0.011)


@pytest.mark.slow
def test_hundreds_of_frames_from_one_video(limits: Limits, tmp_path: Path) -> None:
    """FFmpeg's expressions hold 100 terms in a row and no more."""
    clip = tmp_path / "long.mp4"
    run_ffmpeg_command(
        "-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT}:rate={FPS}", "-frames:v", "260", "-pix_fmt", "yuv420p", str(clip)
    )
    for rule, expected in (({"every": 2}, list(range(0, 260, 2))), ({"uniform": 256}, None)):
        frames, facts = extract_and_read(clip, extract_params(max_frames=1024, **rule), limits, tmp_path / "shard.tar")
        assert len(frames) == len(facts["times_s"]) == (len(expected) if expected else 256)
        if expected:
            assert facts["times_s"] == pytest.approx([number / FPS for number in expected], abs=0.011)


def test_gif_frames_are_sampled_by_their_own_times(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    frames, facts = extract_and_read(numbered("gif", "gif"), extract_params(fps=1), limits, tmp_path / "shard.tar")
    assert numbers(frames) == [0, 24, 48]
    assert [int(time) for time in facts["times_s"]] == [0, 1, 2]


@pytest.mark.parametrize(("codec", "suffix"), [("h264", "mp4"), ("h264", "mkv"), ("vp9", "webm"), ("hevc", "mov")])
def test_a_variable_frame_rate_is_sampled_by_time(numbered: MakeVideo, limits: Limits, tmp_path: Path, codec: str, suffix: str) -> None:
    vfr = VariableRate()
    source = numbered(codec, suffix, setpts=vfr.setpts)
    frames, facts = extract_and_read(source, extract_params(fps=2), limits, tmp_path / "shard.tar")
    ticks = [tick / 2 for tick in range(int(vfr.times[-1] * 2) + 1)]
    expected = sorted({next(n for n, time in enumerate(vfr.times) if time >= tick - 0.0006) for tick in ticks})
    assert numbers(frames) == expected
    assert facts["times_s"] == pytest.approx([vfr.times[number] for number in expected], abs=0.0011)
    assert len({round(later - earlier, 2) for earlier, later in pairwise(facts["times_s"])}) > 1


def test_frames_removed_by_an_edit_list_are_not_sampled(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    run_ffmpeg_command("-ss", "0.5", "-i", str(numbered("h264", "mp4")), "-c", "copy", str(cut))
    frames, _ = extract_and_read(cut, extract_params(every=10), limits, tmp_path / "shard.tar")
    assert numbers(frames) == [12, 22, 32, 42, 52]


def test_a_recording_cut_before_its_key_frame_starts_at_the_first_decodable_frame(
    numbered: MakeVideo, limits: Limits, tmp_path: Path
) -> None:
    """Such packets promise frames that no decoder shows; the indices must count those that are shown."""
    cut = tmp_path / "cut.mkv"
    run_ffmpeg_command("-i", str(numbered("h264", "mkv")), "-c", "copy", "-copyinkf", "-bsf:v", "noise=drop=lt(n\\,7)", str(cut))
    frames, facts = extract_and_read(cut, extract_params(every=10), limits, tmp_path / "shard.tar")
    found = numbers(frames)
    assert found[0] >= 5
    assert [later - earlier for earlier, later in pairwise(found)] == [10] * (len(found) - 1)
    assert facts["times_s"][0] == 0


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_the_display_matrix_is_applied_once(numbered: MakeVideo, limits: Limits, tmp_path: Path, turn: int) -> None:
    turned = tmp_path / "turned.mp4"
    run_ffmpeg_command("-display_rotation", str(-turn), "-i", str(numbered("h264", "mp4")), "-c", "copy", str(turned))
    frames, facts = extract_and_read(turned, extract_params(uniform=2), limits, tmp_path / "shard.tar")
    assert facts["rotation"] == turn
    for frame, number in zip(frames, [0, FRAMES - 1], strict=True):
        upright = np.rot90(numbered_frame(number), -turn // 90)
        assert frame.shape == upright.shape
        assert np.abs(frame.astype(int) - upright).mean() < 12


def test_a_still_image_is_copied_into_the_shard_unchanged(limits: Limits, tmp_path: Path, photo: Path) -> None:
    extract_and_read(photo, extract_params(fps=1), limits, tmp_path / "shard.tar")
    with tarfile.open(tmp_path / "shard.tar") as tar:
        assert tar.extractfile("00000.jpg").read() == photo.read_bytes()


def test_png_frames_have_the_pixels_of_the_decoder(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    source, reference = numbered("h264", "mp4"), tmp_path / "raw.rgb"
    frames, _ = extract_and_read(source, extract_params(every=20), limits, tmp_path / "shard.tar")
    scaler = "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
    run_ffmpeg_command("-i", str(source), "-vf", scaler, "-pix_fmt", "rgb24", "-f", "rawvideo", str(reference))
    decoded = np.fromfile(reference, np.uint8).reshape(FRAMES, HEIGHT, WIDTH, 3)
    assert np.array_equal(np.stack(frames), decoded[::20])


def test_jpeg_is_smaller_and_keeps_full_color_resolution(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    source = numbered("h264", "mp4")
    lossless, _ = extract_and_read(source, extract_params(every=20), limits, tmp_path / "png.tar")
    lossy, _ = extract_and_read(source, extract_params(every=20, encoding="jpeg"), limits, tmp_path / "jpeg.tar")
    assert numbers(lossy) == numbers(lossless)
    assert 0 < np.abs(np.stack(lossy).astype(int) - np.stack(lossless)).mean() < 3
    with tarfile.open(tmp_path / "jpeg.tar") as tar:
        assert tar.getnames()[1:] == ["00000.jpg", "00001.jpg", "00002.jpg"]


def test_the_same_file_gives_the_same_bytes_and_is_not_changed(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    source = numbered("h264", "mp4")
    before = (compute_sha256(source), source.stat().st_mtime_ns)
    for name in ("one.tar", "two.tar"):
        extract_and_read(source, extract_params(fps=4), limits, tmp_path / name)
    assert compute_sha256(tmp_path / "one.tar") == compute_sha256(tmp_path / "two.tar")
    assert (compute_sha256(source), source.stat().st_mtime_ns) == before


def test_one_process_decodes_a_video(numbered: MakeVideo, limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    monkeypatch.setattr(decode, "run_ffmpeg", lambda *arguments: runs.append(arguments) or RUN(*arguments))
    extract_and_read(numbered("h264", "mp4"), extract_params(every=2), limits, tmp_path / "shard.tar")
    assert len(runs) == 1


RUN = decode.run_ffmpeg


def test_a_damaged_video_is_refused(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    data = bytearray(numbered("h264", "mp4").read_bytes())
    middle = data.index(b"mdat") + len(data) // 3
    data[middle : middle + 600] = bytes(range(200)) * 3
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    with pytest.raises(UndecodableError, match="cut short or damaged"):
        extract_and_read(damaged, extract_params(fps=1), limits, tmp_path / "shard.tar")
    assert not (tmp_path / "shard.tar").exists()


def test_a_change_of_picture_size_does_not_shift_the_frame_numbers(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    parts = [tmp_path / "first.h264", tmp_path / "second.h264"]
    for part, shape in zip(parts, ["trim=end_frame=30", f"trim=start_frame=30,scale={WIDTH // 2}:{HEIGHT // 2}"], strict=True):
        run_ffmpeg_command("-i", str(numbered("h264", "mp4")), "-vf", shape, "-c:v", "libx264", "-bf", "0", str(part))
    (tmp_path / "joined.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    run_ffmpeg_command("-r", "24", "-i", str(tmp_path / "joined.h264"), "-c", "copy", str(tmp_path / "joined.mkv"))
    frames, _ = extract_and_read(tmp_path / "joined.mkv", extract_params(every=8), limits, tmp_path / "shard.tar")
    assert numbers(frames) == list(range(0, FRAMES, 8))


def test_a_decoder_over_the_time_limit_is_killed_with_its_process_group(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    hurried = limits.model_copy(update={"timeout_s": 0.01})
    with pytest.raises(LimitExceededError, match=r"limits\.timeout_s"):
        extract_and_read(numbered("hevc", "mp4"), extract_params(every=1), hurried, tmp_path / "shard.tar")
    assert not any("ffmpeg" in child.name() for child in psutil.Process().children(recursive=True))


def test_a_decoder_over_the_memory_limit_is_refused(limits: Limits, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    run_ffmpeg_command("-f", "lavfi", "-i", "color=size=4096x4096:rate=5:duration=2", "-c:v", "libx264", "-preset", "ultrafast", str(large))
    tight = limits.model_copy(update={"max_memory_mb": 390})
    with pytest.raises(LimitExceededError, match=r"limits\.max_memory_mb"):
        extract_and_read(large, extract_params(every=1), tight, tmp_path / "shard.tar")


def test_frames_larger_than_the_container_states_are_refused(numbered: MakeVideo, limits: Limits) -> None:
    small = limits.model_copy(update={"max_pixels": WIDTH * HEIGHT - 1})
    source = numbered("h264", "mp4")
    with pytest.raises(LimitExceededError, match=r"limits\.max_pixels"):
        decode.decode_pts(source, "mp4", 0, small)


def test_extraction_ignores_the_file_name(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    disguised = tmp_path / "-i;rm %d.txt"
    disguised.write_bytes(numbered("h264", "mp4").read_bytes())
    frames, _ = extract_and_read(disguised, extract_params(fps=1), limits, tmp_path / "shard.tar")
    assert numbers(frames) == [0, 24, 48]
