"""Probing: the facts of files, and the code of every refusal. Names say nothing."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from realframe.config import Limits
from realframe.errors import (
    EmptyFileError,
    LimitExceededError,
    MediaError,
    NotMediaError,
    NoVideoStreamError,
    UndecodableError,
    UnreadableFileError,
)
from realframe.media.probe import MediaFacts, probe_media
from realframe.media.signature import detect_signature
from tests.media.numbered_media import FPS, FRAMES, HEIGHT, WIDTH, MakeVideo, VariableRate, make_texture, run_ffmpeg_command

VIDEOS = [
    ("h264", "mp4"),
    ("hevc", "mov"),
    ("vp9", "webm"),
    ("av1", "mkv"),
    ("mpeg4", "avi"),
    ("mjpeg", "mov"),
]


@pytest.mark.parametrize(("codec", "suffix"), VIDEOS)
def test_the_facts_of_a_video(numbered: MakeVideo, limits: Limits, codec: str, suffix: str) -> None:
    facts = probe_media(numbered(codec, suffix), limits)
    assert (facts.kind, facts.container, facts.codec) == ("video", suffix, codec)
    assert (facts.width, facts.height, facts.rotation) == (WIDTH, HEIGHT, 0)
    assert (facts.frames, facts.variable_fps) == (FRAMES, False)
    assert facts.fps == pytest.approx(FPS, rel=0.001)
    assert facts.duration_s == pytest.approx(FRAMES / FPS, abs=0.002)
    assert facts.bytes == numbered(codec, suffix).stat().st_size


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_frame_rate_is_detected(numbered: MakeVideo, limits: Limits, suffix: str) -> None:
    facts = probe_media(numbered("h264", suffix, setpts=VariableRate().setpts), limits)
    assert facts.variable_fps
    assert facts.fps == pytest.approx((FRAMES - 1) / VariableRate().times[-1], rel=0.001)


def test_a_rotated_video_has_upright_facts(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    run_ffmpeg_command("-display_rotation", "-90", "-i", str(numbered()), "-c", "copy", str(tmp_path / "turned.mp4"))
    facts = probe_media(tmp_path / "turned.mp4", limits)
    assert (facts.width, facts.height, facts.rotation) == (HEIGHT, WIDTH, 90)


def test_frames_removed_by_an_edit_list_do_not_count(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    run_ffmpeg_command("-ss", "0.5", "-i", str(numbered()), "-c", "copy", str(tmp_path / "cut.mp4"))
    facts = probe_media(tmp_path / "cut.mp4", limits)
    assert (facts.frames, facts.duration_s) == (FRAMES - FPS // 2, 2.0)


def test_a_gif_of_many_pictures_is_a_video_and_one_of_one_an_image(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    make_texture().save(tmp_path / "still.gif")
    moving, still = probe_media(numbered("gif", "gif"), limits), probe_media(tmp_path / "still.gif", limits)
    assert (moving.kind, moving.codec, moving.frames) == ("video", "gif", FRAMES)
    assert (still.kind, still.frames, still.duration_s) == ("image", 1, 0.0)


@pytest.mark.parametrize(
    ("suffix", "container"), [("jpg", "jpeg"), ("png", "png"), ("webp", "webp"), ("heic", "heif"), ("bmp", "bmp"), ("tif", "tiff")]
)
def test_the_facts_of_an_image(limits: Limits, tmp_path: Path, suffix: str, container: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    make_texture(96, 64).save(path)
    expected = MediaFacts("image", container, container, 96, 64, 0, 0.0, False, 1, 0.0, path.stat().st_size, "", 0, "")
    assert replace(probe_media(path, limits), quantization="", jpeg_quality=0, metadata="") == expected


@pytest.mark.parametrize("suffix", ["jpg", "webp", "heic"])
def test_a_rotated_image_has_upright_facts(limits: Limits, tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    make_texture(96, 64).save(tmp_path / f"turned.{suffix}", exif=exif.tobytes())
    facts = probe_media(tmp_path / f"turned.{suffix}", limits)
    assert (facts.width, facts.height) == (64, 96)


def test_the_file_name_is_ignored(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(numbered("vp9", "webm").read_bytes())
    assert probe_media(tmp_path / "holiday.jpg", limits).container == "webm"


def refusal(path: Path, limits: Limits) -> type[MediaError]:
    with pytest.raises(MediaError) as caught:
        probe_media(path, limits)
    assert str(path) in str(caught.value)
    assert caught.value.reason
    return caught.type


TEXTS = {
    "ffconcat": b"ffconcat version 1.0\nfile other.mp4\n",
    "html": b"<!doctype html><html><body>404 Not Found</body></html>",
    "playlist": b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>',
    "noise": bytes(range(7, 256)) * 20,
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_named_mp4_is_not_media(numbered: MakeVideo, limits: Limits, tmp_path: Path, name: str) -> None:
    (tmp_path / "other.mp4").write_bytes(numbered().read_bytes())
    (tmp_path / "evil.mp4").write_bytes(TEXTS[name])
    assert refusal(tmp_path / "evil.mp4", limits) is NotMediaError


def test_an_empty_file(limits: Limits, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert refusal(tmp_path / "empty.mp4", limits) is EmptyFileError


def test_a_file_that_is_not_ordinary_is_unreadable(limits: Limits, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")  # reading it would wait for ever
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "gone.mp4")
    assert refusal(tmp_path / "pipe.mp4", limits) is UnreadableFileError
    assert refusal(tmp_path / "dangling.mp4", limits) is UnreadableFileError
    assert refusal(tmp_path, limits) is UnreadableFileError


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(limits: Limits, tmp_path: Path, photo: Path) -> None:
    photo.chmod(0)
    assert refusal(photo, limits) is UnreadableFileError


@pytest.mark.parametrize("suffix", ["m4a", "mkv", "wav", "flac", "ogg"])
def test_sound_has_no_video_stream(limits: Limits, tmp_path: Path, suffix: str) -> None:
    codec = ["-c:a", "aac"] if suffix in ("m4a", "mkv") else []
    run_ffmpeg_command("-f", "lavfi", "-i", "sine=duration=1", *codec, str(tmp_path / f"sound.{suffix}"))
    assert refusal(tmp_path / f"sound.{suffix}", limits) is NoVideoStreamError


def test_a_cover_picture_is_not_a_video_stream(limits: Limits, tmp_path: Path, photo: Path) -> None:
    cover = ["-i", str(photo), "-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v", "attached_pic"]
    run_ffmpeg_command("-f", "lavfi", "-i", "sine=duration=1", *cover, str(tmp_path / "song.m4a"))
    assert refusal(tmp_path / "song.m4a", limits) is NoVideoStreamError


@pytest.mark.parametrize(
    ("codec", "suffix"), [("h264", "mp4"), ("mjpeg", "mov"), ("h264", "mkv"), ("vp9", "webm"), ("mpeg4", "avi"), ("gif", "gif")]
)
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_video_that_is_cut_short(numbered: MakeVideo, limits: Limits, tmp_path: Path, codec: str, suffix: str, share: float) -> None:
    data = numbered(codec, suffix).read_bytes()
    (tmp_path / "short").write_bytes(data[: int(len(data) * share)])
    assert refusal(tmp_path / "short", limits) is UndecodableError


def test_a_video_with_its_index_at_the_start_that_is_cut_short(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    run_ffmpeg_command("-i", str(numbered()), "-c", "copy", "-movflags", "+faststart", str(tmp_path / "whole.mp4"))
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "short.mp4").write_bytes(data[:-100])
    assert probe_media(tmp_path / "whole.mp4", limits).frames == FRAMES
    assert refusal(tmp_path / "short.mp4", limits) is UndecodableError


def test_a_container_whose_structure_is_damaged(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    data = numbered("h264", "mkv").read_bytes()
    (tmp_path / "damaged.mkv").write_bytes(data[:60] + bytes(len(data) - 60))
    assert refusal(tmp_path / "damaged.mkv", limits) in (UndecodableError, NoVideoStreamError)


def test_a_codec_that_is_not_allowed(limits: Limits, tmp_path: Path) -> None:
    run_ffmpeg_command("-f", "lavfi", "-i", "testsrc2=size=64x64:duration=0.2", "-c:v", "huffyuv", str(tmp_path / "old.avi"))
    assert refusal(tmp_path / "old.avi", limits) is UndecodableError


@pytest.mark.parametrize("limit", [{"max_bytes": 100}, {"max_pixels": WIDTH * HEIGHT - 1}, {"max_duration_s": 1.0}])
def test_a_video_over_a_limit(numbered: MakeVideo, limits: Limits, limit: dict[str, float]) -> None:
    assert refusal(numbered(), limits.model_copy(update=limit)) is LimitExceededError


def test_an_image_with_too_many_pixels(limits: Limits, photo: Path) -> None:
    assert refusal(photo, limits.model_copy(update={"max_pixels": 96 * 64 - 1})) is LimitExceededError


def test_streaming_files_that_state_no_length_are_whole(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    """A recorder that writes to a pipe can't go back to fill in sizes."""
    live = tmp_path / "live.mkv"
    run_ffmpeg_command("-i", str(numbered("h264", "mkv")), "-c", "copy", "-live", "1", str(live))
    assert probe_media(live, limits).frames == FRAMES


def test_a_signature_needs_only_the_head() -> None:
    assert detect_signature(b"") is None
    assert detect_signature(b"\0\0\0\x18ftypheic") is not None
