"""Test that the frames of a video are those that a player shows: of its track, deinterlaced, in its shape and colors."""

import io
from pathlib import Path

import ffmpeg
import numpy as np
import pytest
from PIL import Image

from realframe.config import Crop, Limits, Params, resolve_params
from realframe.errors import UndecodableError
from realframe.media import decode
from realframe.media.extract import SampledVideo, sample_video
from realframe.media.file_frames import load_file_frames
from realframe.media.probe import MediaFacts, probe_media
from tests.media.numbered_media import MakeVideo, extract_params, run_ffmpeg_command
from tests.media.special_media import HDR, PATTERN, damage_b_frame, write_hdr, write_interlaced, write_two_tracks
from tests.media.test_file_frames import compare_with_stages

SCALER = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"


@pytest.fixture(scope="module")
def params(root: Path) -> Params:
    resolved = resolve_params(root / "params.yaml", root / "recipes").params
    return resolved.model_copy(
        update={"extract": extract_params(fps=4), "clean": resolved.clean.model_copy(update={"size": 64, "duplicate_distance": -1})}
    )


def sample(path: Path, limits: Limits) -> tuple[MediaFacts, SampledVideo[np.ndarray]]:
    """The facts of a video, and every fourth frame of a second."""
    facts = probe_media(path, limits)
    read = sample_video(path, facts.container, extract_params(fps=4), limits, lambda frame, _: np.asarray(Image.open(io.BytesIO(frame[1]))))
    assert all(frame.shape[:2] == (facts.height, facts.width) for frame in read.frames)
    return facts, read


def measure_comb(frame: np.ndarray) -> float:
    """Return how much each line differs from its neighbors."""
    gray = frame[..., :3].astype(float).mean(axis=2)
    return float(np.abs(gray[1:-1] - (gray[:-2] + gray[2:]) / 2).mean())


def write_pattern(path: Path, *options: str) -> None:
    run_ffmpeg_command("-f", "lavfi", "-i", f"{PATTERN}:duration=0.4", "-c:v", "libx264", *options, str(path))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("default", "size"), [(1, (160, 120)), (0, (64, 48)), (-1, (160, 120))])
def test_the_track_that_players_show_is_used(limits: Limits, tmp_path: Path, suffix: str, default: int, size: tuple[int, int]) -> None:
    if (suffix, default) == ("mp4", -1):
        size = (64, 48)  # MP4 has no video without an enabled track: FFmpeg enables the first one
    write_two_tracks(tmp_path / f"two.{suffix}", default)
    facts, _ = sample(tmp_path / f"two.{suffix}", limits)
    assert ((facts.width, facts.height), facts.picture_count) == (size, 2)


def test_interlaced_frames_are_deinterlaced(limits: Limits, tmp_path: Path) -> None:
    write_interlaced(tmp_path / "i.mp4")
    run_ffmpeg_command(
        "-i", str(tmp_path / "i.mp4"), "-vf", f"bwdif=mode=send_frame,scale=flags={SCALER}", "-pix_fmt", "rgb24", str(tmp_path / "%d.png")
    )
    facts, read = sample(tmp_path / "i.mp4", limits)
    assert facts.is_interlaced
    assert read.is_interlaced
    assert read.times_s == pytest.approx([0, 0.28, 0.52, 0.76])
    assert max(map(measure_comb, read.frames)) < 4  # 20 and more where the lines of two times are mixed
    for time_s, frame in zip(read.times_s, read.frames, strict=True):
        expected = np.asarray(Image.open(tmp_path / f"{round(25 * time_s) + 1}.png"))
        assert np.abs(frame.astype(int) - expected).mean() < 1


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_interlaced_video_is_deinterlaced_before_it_is_turned(limits: Limits, tmp_path: Path, turn: int) -> None:
    write_interlaced(tmp_path / "i.mp4")
    run_ffmpeg_command("-display_rotation", str(-turn), "-i", str(tmp_path / "i.mp4"), "-c", "copy", str(tmp_path / "turned.mp4"))
    upright, turned = (sample(tmp_path / name, limits)[1].frames for name in ("i.mp4", "turned.mp4"))
    for first, second in zip(upright, turned, strict=True):
        assert np.abs(np.rot90(first, -turn // 90).astype(int) - second).mean() < 3  # chroma is interpolated in another direction


def test_frames_that_become_interlaced_later_are_deinterlaced(limits: Limits, tmp_path: Path) -> None:
    write_interlaced(tmp_path / "i.mp4")
    run_ffmpeg_command(
        "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=0.4", "-c:v", "libx264", "-bf", "0", str(tmp_path / "p.h264")
    )
    run_ffmpeg_command("-i", str(tmp_path / "i.mp4"), "-c", "copy", str(tmp_path / "i.h264"))
    (tmp_path / "both.h264").write_bytes((tmp_path / "p.h264").read_bytes() + (tmp_path / "i.h264").read_bytes())
    run_ffmpeg_command("-r", "25", "-i", str(tmp_path / "both.h264"), "-c", "copy", str(tmp_path / "both.mkv"))
    facts, read = sample(tmp_path / "both.mkv", limits)
    assert (facts.is_interlaced, read.is_interlaced) == (False, True)
    alone = sample(tmp_path / "i.mp4", limits)[1].frames
    interlaced = [frame for time_s, frame in zip(read.times_s, read.frames, strict=True) if time_s > 0.4]
    assert max(map(measure_comb, interlaced)) < 1.5 * max(map(measure_comb, alone))


@pytest.mark.parametrize(("aspect", "size"), [("64/45", (228, 120)), ("8/9", (160, 135)), ("1", (160, 120)), ("1001/1000", (160, 120))])
def test_pixels_that_are_not_square_are_stretched(limits: Limits, tmp_path: Path, aspect: str, size: tuple[int, int]) -> None:
    write_pattern(tmp_path / "a.mp4", "-vf", f"setsar={aspect}")
    facts, _ = sample(tmp_path / "a.mp4", limits)
    assert (facts.width, facts.height) == size


def test_a_turned_anamorphic_video_has_its_shown_size(limits: Limits, tmp_path: Path) -> None:
    write_pattern(tmp_path / "a.mp4", "-vf", "setsar=2")
    run_ffmpeg_command("-display_rotation", "90", "-i", str(tmp_path / "a.mp4"), "-c", "copy", str(tmp_path / "turned.mp4"))
    facts, _ = sample(tmp_path / "turned.mp4", limits)
    assert (facts.width, facts.height, facts.rotation) == (120, 320, 270)


@pytest.mark.parametrize("kind", HDR)
def test_high_dynamic_range_becomes_ordinary_colors(limits: Limits, tmp_path: Path, kind: str) -> None:
    write_hdr(tmp_path / "hdr.mp4", kind)
    run_ffmpeg_command("-f", "lavfi", "-i", PATTERN, "-frames:v", "1", "-pix_fmt", "rgb24", str(tmp_path / "plain.png"))
    facts, read = sample(tmp_path / "hdr.mp4", limits)
    assert facts.hdr == kind
    assert np.abs(read.frames[0].astype(int) - np.asarray(Image.open(tmp_path / "plain.png"))).mean() < 12  # untouched it is 70 or more


def test_hdr_is_refused_where_ffmpeg_cannot_convert_it(limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hdr(tmp_path / "hdr.mp4", "PQ")
    monkeypatch.setattr(decode, "_has_filters", lambda *_: False)
    with pytest.raises(UndecodableError, match=r"high dynamic range \(PQ\), and FFmpeg on this machine lacks zscale"):
        sample(tmp_path / "hdr.mp4", limits)


def test_an_ordinary_video_gets_no_filter_but_those_that_select_and_convert(
    numbered: MakeVideo, limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    run = decode.run_ffmpeg
    monkeypatch.setattr(decode, "run_ffmpeg", lambda node, *rest: commands.append(ffmpeg.get_args(node)) or run(node, *rest))
    for path in (numbered("h264", "mp4"), numbered("gif", "gif")):
        sample(path, limits)
    for command in commands:
        graph = command[command.index("-filter_complex") + 1]
        assert [part.split("]")[1].split("=")[0] for part in graph.split(";")] == ["select", "showinfo", "scale", "format"]
        assert "-noautorotate" not in command


SPECIAL = ["interlaced", "anamorphic", "hdr", "two tracks", "theora"]


def write_special(kind: str, folder: Path) -> Path:
    path = folder / ("special.ogv" if kind == "theora" else "special.mkv")
    match kind:
        case "interlaced":
            write_interlaced(path)
        case "anamorphic":
            write_pattern(path, "-vf", "setsar=64/45")
        case "hdr":
            write_hdr(path, "HLG")
        case "two tracks":
            write_two_tracks(path, 1)
        case "theora":
            run_ffmpeg_command("-f", "lavfi", "-i", f"{PATTERN}:duration=1", "-c:v", "libtheora", "-q:v", "8", str(path))
    return path


@pytest.mark.parametrize("kind", SPECIAL)
def test_detection_and_training_see_the_same_pixels(params: Params, tmp_path: Path, kind: str) -> None:
    path = write_special(kind, tmp_path)
    assert compare_with_stages(path, params, tmp_path) >= 2
    crop = params.harmonize.model_copy(update={"crop": Crop(image=0, video=48), "reencode": True})
    assert compare_with_stages(path, params.model_copy(update={"harmonize": crop}), tmp_path) >= 2


def test_a_harmonized_video_keeps_what_a_player_shows(params: Params, tmp_path: Path) -> None:
    whole = params.model_copy(update={"harmonize": params.harmonize.model_copy(update={"reencode": True, "crf": 10})})
    for kind in ("interlaced", "anamorphic", "hdr"):
        path = write_special(kind, tmp_path)
        direct, harmonized = load_file_frames(path, params), load_file_frames(path, whole)
        assert harmonized.facts == direct.facts
        assert np.abs(direct.pictures.astype(int) - harmonized.pictures).mean() < 6


TAIL = {"tag": b"TAGMy Clip" + bytes(118), "footer": b"<html><body>Bad Gateway</body></html>\n", "noise": bytes(range(7, 250)) * 2}
CONTAINERS = {
    "mp4": ["-c:v", "libx264"],
    "mov": ["-c:v", "mjpeg"],
    "mkv": ["-c:v", "libx264"],
    "webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
    "avi": ["-c:v", "mpeg4"],
    "gif": [],
}


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_what_follows_the_end_of_a_video_is_ignored_and_counted(params: Params, tmp_path: Path, suffix: str) -> None:
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"tail.{suffix}"
    run_ffmpeg_command("-f", "lavfi", "-i", f"{PATTERN}:duration=0.4", *CONTAINERS[suffix], str(whole))
    expected = load_file_frames(whole, params)
    assert expected.facts.extra_bytes == 0
    for tail in (*TAIL.values(), bytes(3000)):
        path.write_bytes(whole.read_bytes() + tail)
        found = load_file_frames(path, params)
        assert np.array_equal(found.pictures, expected.pictures)
        assert found.facts.extra_bytes == (len(tail) if any(tail) else 0)
        assert found.damaged_share is None
    path.write_bytes(whole.read_bytes()[:-200] + TAIL["tag"])
    if suffix in ("mp4", "gif"):  # in the others the tag takes the place of what is missing
        with pytest.raises(UndecodableError):
            load_file_frames(path, params)


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 300 frames with one key frame, and with B-frames of which some are references."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    noisy = ["-f", "lavfi", "-i", f"{PATTERN}:duration=12", "-vf", "noise=alls=15:allf=t", "-c:v", "libx264", "-preset", "veryfast"]
    run_ffmpeg_command(*noisy, "-g", "300", "-bf", "3", "-b_strategy", "0", "-x264opts", "cabac=0", str(path))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("part", ["header", "middle"])
def test_a_damaged_frame_from_which_no_other_is_predicted_counts_alone(long_video: Path, params: Params, tmp_path: Path, part: str) -> None:
    damage_b_frame(long_video, tmp_path / "little.mp4", part, reference=False)
    assert load_file_frames(tmp_path / "little.mp4", params).damaged_share == pytest.approx(1 / 300)
    damage_b_frame(long_video, tmp_path / "much.mp4", part, reference=True)
    with pytest.raises(UndecodableError, match="of its frames"):
        load_file_frames(tmp_path / "much.mp4", params)


def test_theora_is_a_video_and_vorbis_a_sound(params: Params, limits: Limits, tmp_path: Path) -> None:
    path = write_special("theora", tmp_path)
    facts = probe_media(path, limits)
    assert (facts.container, facts.codec, facts.frames, facts.fps) == ("ogg", "theora", 25, 25)
    assert len(load_file_frames(path, params).pictures) == 4
