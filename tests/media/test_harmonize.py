"""Test harmonization: equal size, length and encoding, upright, without metadata; equal input gives equal bytes."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from realframe.config import HarmonizeParams, Limits
from realframe.errors import TooSmallError, UndecodableError
from realframe.files import compute_sha256
from realframe.media.harmonize import harmonize_file
from realframe.media.probe import MediaFacts, probe_media
from realframe.media.video_stream import read_video_stream
from tests.media.numbered_media import FPS, FRAMES, MakeVideo, VariableRate, make_texture, read_number, run_ffmpeg_command


def harmonize_params(image: int = 0, video: int = 0, **changes: object) -> HarmonizeParams:
    usual = {
        "crop": {"image": image, "video": video},
        "seconds": 0,
        "reencode": False,
        "crf": 23,
        "jpeg_quality": 90,
        "fps": 0,
        "match": [],
    }
    return HarmonizeParams.model_validate(usual | changes)


def harmonize_and_probe(source: Path, params: HarmonizeParams, limits: Limits, target: Path) -> MediaFacts:
    harmonize_file(source, probe_media(source, limits), params, limits, target)
    return probe_media(target, limits)


def shown_numbers(path: Path) -> list[int]:
    """The numbers of the frames of a numbered video."""
    with av.open(str(path)) as video:
        return [read_number(frame.to_ndarray(format="rgb24")) for frame in video.decode(video=0)]


def test_a_crop_alone_keeps_native_pixels_to_the_last_bit(limits: Limits, tmp_path: Path) -> None:
    make_texture(101, 64).save(tmp_path / "a.png")
    facts = harmonize_and_probe(tmp_path / "a.png", harmonize_params(image=40), limits, tmp_path / "out")
    assert (facts.container, facts.width, facts.height) == ("png", 40, 40)
    expected = np.asarray(make_texture(101, 64))[12:52, 30:70]
    assert (np.asarray(Image.open(tmp_path / "out")) == expected).all()


def test_an_image_loses_its_metadata_and_encoding_history(limits: Limits, tmp_path: Path) -> None:
    exif = make_texture().getexif()
    exif[0x0112] = 6
    make_texture().save(tmp_path / "shot.jpg", exif=exif, comment=b"a camera", quality=60, progressive=True)
    make_texture(64, 96).save(tmp_path / "drawn.png")
    shot, drawn = (
        harmonize_and_probe(tmp_path / name, harmonize_params(reencode=True), limits, tmp_path / "out")
        for name in ("shot.jpg", "drawn.png")
    )
    assert (shot.width, shot.height, shot.rotation) == (drawn.width, drawn.height, drawn.rotation) == (64, 96, 0)
    assert (shot.quantization, shot.jpeg_quality, shot.metadata, shot.container) == (drawn.quantization, 90, drawn.metadata, "jpeg")


def test_videos_of_different_encoders_get_the_same_encoding(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    params = harmonize_params(video=96, reencode=True, fps=6, seconds=1.5)
    run_ffmpeg_command("-i", str(numbered()), "-f", "lavfi", "-i", "sine=duration=2", "-metadata", "title=x", str(tmp_path / "sound.mp4"))
    sources = (numbered("vp9", "webm"), numbered(setpts=VariableRate().setpts), tmp_path / "sound.mp4", numbered("gif", "gif"))
    facts = [harmonize_and_probe(source, params, limits, tmp_path / "out") for source in sources]
    assert len({(f.container, f.codec, f.width, f.height, f.fps, f.frames, f.duration_s, f.metadata) for f in facts}) == 1
    assert (facts[0].codec, facts[0].width, facts[0].fps, facts[0].frames, facts[0].duration_s) == ("h264", 96, 6.0, 9, 1.5)
    assert "audio" not in facts[0].metadata and "title" not in facts[0].metadata


@pytest.mark.parametrize("reencode", [True, False])
def test_each_frame_keeps_its_picture_and_its_time(numbered: MakeVideo, limits: Limits, tmp_path: Path, reencode: bool) -> None:
    source = numbered(setpts=VariableRate().setpts)
    harmonize_file(
        source,
        probe_media(source, limits),
        harmonize_params(video=0 if reencode else 128, reencode=reencode, seconds=1.4),
        limits,
        tmp_path / "out",
    )
    expected_times = [time for time in VariableRate().times if time < 1.4]
    times = read_video_stream(tmp_path / "out", "mp4" if reencode else "mkv", limits).times_s
    assert [float(time) for time in times] == pytest.approx(expected_times, abs=2e-3)
    if reencode:
        assert shown_numbers(tmp_path / "out") == list(range(len(expected_times)))


def test_a_rotated_video_becomes_upright_and_odd_sides_are_trimmed(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    run_ffmpeg_command("-display_rotation", "90", "-i", str(numbered()), "-c", "copy", str(tmp_path / "turned.mp4"))
    facts = harmonize_and_probe(tmp_path / "turned.mp4", harmonize_params(reencode=True), limits, tmp_path / "out")
    assert (facts.width, facts.height, facts.rotation, facts.frames, facts.fps) == (128, 256, 0, FRAMES, FPS)
    run_ffmpeg_command("-i", str(numbered()), "-vf", "crop=101:63", "-c:v", "ffv1", str(tmp_path / "odd.mkv"))
    facts = harmonize_and_probe(tmp_path / "odd.mkv", harmonize_params(reencode=True), limits, tmp_path / "out")
    assert (facts.width, facts.height) == (100, 62)


@pytest.mark.parametrize("params", [harmonize_params(image=40, video=96), harmonize_params(image=40, video=96, reencode=True, fps=5)])
def test_equal_input_gives_equal_bytes(numbered: MakeVideo, photo: Path, limits: Limits, tmp_path: Path, params: HarmonizeParams) -> None:
    for source in (numbered(), photo):
        for name in ("one", "two"):
            harmonize_file(source, probe_media(source, limits), params, limits, tmp_path / name)
        assert compute_sha256(tmp_path / "one") == compute_sha256(tmp_path / "two")


def test_items_that_are_too_small_or_too_short_are_refused(numbered: MakeVideo, photo: Path, limits: Limits, tmp_path: Path) -> None:
    for source, params, message in (
        (photo, harmonize_params(image=66), "is 96x64, and harmonization cuts out a square of 66 pixels"),
        (numbered(), harmonize_params(video=130), "is 256x128"),
        (numbered(), harmonize_params(seconds=3), "is 2.5 s long, and harmonization cuts out 3 s"),
    ):
        with pytest.raises(TooSmallError, match=message):
            harmonize_and_probe(source, params, limits, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_a_damaged_file_is_refused(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    damaged = bytearray(numbered().read_bytes())
    middle = damaged.index(b"mdat") + len(damaged) // 3
    damaged[middle : middle + 600] = bytes(range(200)) * 3
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    with pytest.raises(UndecodableError):
        harmonize_and_probe(tmp_path / "damaged.mp4", harmonize_params(reencode=True), limits, tmp_path / "out")
