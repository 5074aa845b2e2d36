"""The files that ``realframe demo-data`` writes."""

import csv
import hashlib
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import av
import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer import Typer
from typer.testing import CliRunner

from realframe.cli.service_commands import demo_data
from realframe.data import manifest
from realframe.demo.render import RenderedSet, render_demo_data
from realframe.errors import DatasetError

CLIPS, IMAGES, UNSEEN, SEED = 6, 48, 2, 7  # as in conftest.py


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "media.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def media(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".mp4", ".jpg")]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def clip_facts(path: Path) -> tuple[object, ...]:
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        codec = stream.codec_context
        return codec.name, codec.profile, codec.pix_fmt, codec.width, codec.height, stream.average_rate, stream.frames, clip.duration


def image_facts(path: Path) -> tuple[object, ...]:
    with Image.open(path) as image:
        return image.format, image.mode, image.size, str(image.quantization)  # type: ignore[attr-defined]


def first_frame(path: Path) -> Image.Image:
    if path.suffix == ".jpg":
        with Image.open(path) as image:
            return image.convert("RGB")
    with av.open(str(path)) as clip:
        return next(clip.decode(video=0)).to_image()


def test_it_renders_the_requested_numbers(small_set: RenderedSet) -> None:
    assert small_set.rendered_count == small_set.file_count == CLIPS + IMAGES + UNSEEN
    kinds = Counter((row["label"], Path(row["file_path"]).suffix) for row in rows(small_set.folder))
    assert kinds == {("real", ".mp4"): 3, ("fake", ".mp4"): 3, ("real", ".jpg"): 24, ("fake", ".jpg"): 24}


def test_the_manifest_names_every_file_and_its_maker(folder: Path) -> None:
    listed = rows(folder)
    assert sorted(row["file_path"] for row in listed) == sorted(media(folder))
    for row in listed:
        label, maker, _ = row["file_path"].split("/")
        assert (label, maker) == (row["label"], row["source"] if label == "real" else row["generator"])
    assert len({row["source"] for row in listed if row["label"] == "real"}) >= 3
    assert len({row["generator"] for row in listed if row["label"] == "fake"}) >= 3


def test_every_file_is_known_as_rendered(folder: Path) -> None:
    """A detector that is trained on one of them gives no verdict."""
    assert manifest.find_rendered(pd.DataFrame(rows(folder))).all()


def test_the_two_renderings_of_a_scene_share_a_group(folder: Path) -> None:
    groups = defaultdict(list)
    for row in rows(folder):
        groups[row["group"]].append(row)
    for pair in groups.values():
        assert sorted(row["label"] for row in pair) == ["fake", "real"]
        real, fake = (imagehash.phash(first_frame(folder / row["file_path"])) for row in pair)
        assert real - fake <= 12


def test_both_classes_have_the_same_file_facts(small_set: RenderedSet) -> None:
    clips = [*small_set.folder.rglob("*.mp4"), *small_set.unseen_dir.rglob("*.mp4")]
    facts = {clip_facts(path) for path in clips}
    assert len(facts) == 1
    name, _, _, width, height, rate, frames, _ = facts.pop()
    assert (name, width, height, rate, frames) == ("h264", 320, 256, 8, 32)
    assert len({image_facts(path) for path in small_set.folder.rglob("*.jpg")}) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".jpg"])
def test_file_sizes_do_not_separate_the_classes(folder: Path, suffix: str) -> None:
    sizes = defaultdict(dict)
    for row in rows(folder):
        if row["file_path"].endswith(suffix):
            sizes[row["group"]][row["label"]] = (folder / row["file_path"]).stat().st_size
    ratio = np.median([pair["fake"] / pair["real"] for pair in sizes.values()])
    assert 0.67 < ratio < 1.5


def test_the_unseen_clips_show_other_scenes(small_set: RenderedSet) -> None:
    unseen = sorted(small_set.unseen_dir.rglob("*.mp4"))
    assert [path.relative_to(small_set.unseen_dir).parts[0] for path in unseen] == ["fake", "real"]
    seen = [imagehash.phash(first_frame(path)) for path in small_set.folder.rglob("*.*") if path.suffix in (".mp4", ".jpg")]
    for path in unseen:
        assert min(imagehash.phash(first_frame(path)) - other for other in seen) > 12


def test_a_second_call_renders_nothing(small_set: RenderedSet) -> None:
    before = {path: path.stat().st_mtime_ns for path in small_set.folder.rglob("*") if path.is_file()}
    second = render_demo_data(small_set.folder, clips=CLIPS, images=IMAGES, unseen=UNSEEN, seed=SEED)
    assert (second.rendered_count, second.file_count) == (0, small_set.file_count)
    assert {path: path.stat().st_mtime_ns for path in small_set.folder.rglob("*") if path.is_file()} == before


def test_a_set_that_was_cut_short_or_grows_is_completed_with_the_same_bytes(small_set: RenderedSet, tmp_path: Path) -> None:
    target = tmp_path / "set"
    assert render_demo_data(target, clips=2, images=2, unseen=0, seed=SEED).rendered_count == 4
    next(target.rglob("*.mp4")).unlink()
    (target / "media.csv").unlink()
    assert render_demo_data(target, clips=2, images=5, unseen=0, seed=SEED).rendered_count == 4
    made = media(target)
    assert len(made) == 7
    assert made.items() <= media(small_set.folder).items()
    assert sorted(made) == sorted(row["file_path"] for row in rows(target))


def test_another_seed_gives_other_files(small_set: RenderedSet, tmp_path: Path) -> None:
    render_demo_data(tmp_path / "set", clips=0, images=4, unseen=0, seed=SEED + 1)
    assert not set(media(tmp_path / "set").values()) & set(media(small_set.folder).values())


def test_a_smaller_number_keeps_what_is_there(folder: Path) -> None:
    assert render_demo_data(folder, clips=2, images=0, unseen=0, seed=SEED).rendered_count == 0
    assert len(rows(folder)) == CLIPS + IMAGES


def test_it_does_not_touch_a_folder_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not demo data"):
        render_demo_data(tmp_path, clips=2, images=0, unseen=0, seed=SEED)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.txt"]


def test_it_refuses_to_mix_seeds(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "set")
    with pytest.raises(DatasetError, match=f"seed .found: {SEED}, requested: 8"):
        render_demo_data(tmp_path / "set", clips=2, images=0, unseen=0, seed=8)


def test_the_command_prints_the_caveat(tmp_path: Path) -> None:
    app = Typer()
    app.command()(demo_data)
    answer = CliRunner().invoke(app, [str(tmp_path / "set"), "--clips", "0", "--images", "2", "--unseen", "0"])
    assert answer.exit_code == 0, answer.output
    for text in (answer.output, (tmp_path / "set" / "README.txt").read_text()):
        assert "nothing of real cameras or real generators" in " ".join(text.split())
    assert "2 of them rendered now" in answer.output


def test_the_help_has_examples() -> None:
    app = Typer()
    app.command()(demo_data)
    help_text = CliRunner().invoke(app, ["--help"]).output
    for expected in ("Examples", "realframe demo-data", "--clips", "--images", "--unseen", "--seed"):
        assert expected in help_text
