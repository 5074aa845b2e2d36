"""Public data sets: labels, generators and groups by their folders, and splits without leaks of identities."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from realframe.config import BalanceParams, SplitParams
from realframe.data.labels import FileEntry, LabelOptions, parse_meanings, split_groups
from realframe.data.layouts import read_folder_labels, read_layout
from realframe.data.public_layouts import LAYOUT_NAMES
from realframe.data.split import assign_splits
from realframe.errors import DatasetError, NotMediaError, UnlabeledError
from tests.data.dataset_rows import make_item, make_quality, make_table


def write_files(folder: Path, paths: Iterable[str]) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())
    return folder


def read_set(folder: Path, layout: str) -> dict[str, FileEntry]:
    """Read a folder with the layout named and without, which must be the same."""
    detected = read_folder_labels(folder)
    named = read_layout(folder, options=LabelOptions(layout=layout))
    assert [(replace(entry, problem=None), str(entry.problem)) for entry in named] == [
        (replace(entry, problem=None), str(entry.problem)) for entry in detected.entries
    ]
    assert any(f"laid out as {layout}" in note for note in detected.notes)
    return {entry.path: entry for entry in detected.entries}


def facts(entry: FileEntry) -> tuple[str, str, str, str]:
    return entry.label, entry.generator, entry.source, entry.split


def split_entries(entries: Iterable[FileEntry]) -> pd.DataFrame:
    rows = [
        make_item(e.path, e.label, generator=e.generator, source=e.source, group=e.group, split=e.split) for e in entries if not e.problem
    ]
    split = SplitParams(val=0.2, test=0.2, near_duplicate_distance=4, min_per_class=1)
    balance = BalanceParams.model_validate({"kinds": ("image", "video"), "method": "none"})
    return assign_splits(make_table(rows).assign(included=True, exclusion_reason=""), make_quality(rows), split, balance, 0)


def splits_by_identity(splits: pd.DataFrame) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for group, split in zip(splits["group"], splits["split"], strict=True):
        for name in split_groups(group):
            found.setdefault(name, set()).add(split)
    return found


def celeb_paths() -> list[str]:
    """Twelve people who are swapped in pairs, in chains of three, and YouTube videos."""
    paths = [f"Celeb-real/id{person}_{video:04}.mp4" for person in range(12) for video in range(2)]
    swaps = [(first + a, first + b) for first in range(0, 12, 3) for a, b in ((0, 1), (1, 2))]
    paths += [
        f"Celeb-synthesis/id{a}_id{b}_{video:04}.mp4" for one, other in swaps for a, b in ((one, other), (other, one)) for video in range(2)
    ]
    return paths + [f"YouTube-real/{video:05}.mp4" for video in range(6)]


def test_celeb_df_groups_both_people_of_a_swap_and_no_split_shares_a_person(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "Celeb-DF-v2", celeb_paths())
    (folder / "List_of_testing_videos.txt").write_text("1 YouTube-real/00000.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n")
    entries = read_set(folder, "celeb-df")
    assert facts(entries["Celeb-real/id3_0001.mp4"]) == ("real", "", "celeb-df", "")
    assert entries["Celeb-real/id3_0001.mp4"].group == "celeb-df:id3"
    swap = entries["Celeb-synthesis/id3_id4_0001.mp4"]
    assert (swap.label, swap.generator, swap.group) == ("fake", "celeb-df", "celeb-df:id3|celeb-df:id4")
    assert (entries["YouTube-real/00003.mp4"].label, entries["YouTube-real/00003.mp4"].group) == ("real", "celeb-df:youtube-00003")
    splits = split_entries(entries.values())
    identities = splits_by_identity(splits)
    assert len(identities) == 12 + 6
    assert all(len(used) == 1 for used in identities.values())
    assert set(splits["split"]) == {"train", "val", "test"}
    assert identities["celeb-df:id0"] == identities["celeb-df:id2"]  # through the swaps of both with id1


def test_celeb_df_of_frames_and_of_several_methods(tmp_path: Path) -> None:
    paths = ["Celeb-synthesis/FaceSwap/SimSwap/id3_id7_0002.mp4", "Celeb-real/id3_0001/0001.png", "Celeb-real/unknown.mp4"]
    entries = read_set(write_files(tmp_path, paths), "celeb-df")
    assert (entries[paths[0]].generator, entries[paths[0]].group) == ("SimSwap", "celeb-df:id3|celeb-df:id7")
    assert entries[paths[1]].group == "celeb-df:id3"
    assert isinstance(entries[paths[2]].problem, UnlabeledError) and "whose face" in str(entries[paths[2]].problem)


def faceforensics_paths() -> list[str]:
    """Pairs of source videos, manipulated in both directions by two methods."""
    pairs = [(first, first + 1) for first in range(0, 20, 2)]
    paths = [f"original_sequences/youtube/c23/videos/{video:03}.mp4" for video in range(20)]
    return paths + [
        f"manipulated_sequences/{method}/c23/videos/{a:03}_{b:03}.mp4"
        for method in ("Deepfakes", "Face2Face")
        for one, other in pairs
        for a, b in ((one, other), (other, one))
    ]


def test_faceforensics_groups_the_source_videos_and_no_split_shares_one(tmp_path: Path) -> None:
    entries = read_set(write_files(tmp_path / "FF", faceforensics_paths()), "faceforensics")
    fake = entries["manipulated_sequences/Deepfakes/c23/videos/002_003.mp4"]
    assert (facts(fake), fake.group) == (("fake", "Deepfakes", "", ""), "faceforensics:002|faceforensics:003")
    assert facts(entries["original_sequences/youtube/c23/videos/002.mp4"]) == ("real", "", "faceforensics-youtube", "")
    splits = split_entries(entries.values())
    identities = splits_by_identity(splits)
    assert len(identities) == 20 and all(len(used) == 1 for used in identities.values())
    assert set(splits["split"]) == {"train", "val", "test"}


def test_faceforensics_of_actors_frames_and_masks(tmp_path: Path) -> None:
    paths = [
        "manipulated_sequences/DeepFakeDetection/c40/videos/01_02__meeting_serious__YVGY8LOK.mp4",
        "original_sequences/actors/raw/videos/01__meeting_serious.mp4",
        "manipulated_sequences/FaceSwap/c23/images/000_003/0001.png",
        "manipulated_sequences/FaceSwap/masks/videos/000_003.mp4",
    ]
    entries = read_set(write_files(tmp_path, paths), "faceforensics")
    assert entries[paths[0]].group == "faceforensics:actor-01|faceforensics:actor-02"
    assert (entries[paths[1]].source, entries[paths[1]].group) == ("faceforensics-actors", "faceforensics:actor-01")
    assert (entries[paths[2]].generator, entries[paths[2]].group) == ("FaceSwap", "faceforensics:000|faceforensics:003")
    assert isinstance(entries[paths[3]].problem, NotMediaError) and "mask" in str(entries[paths[3]].problem)


def test_faceforensics_as_folders_of_methods_beside_the_originals(tmp_path: Path) -> None:
    entries = read_set(
        write_files(tmp_path, ["FF_c23/original/000.mp4", "FF_c23/Deepfakes/000_003.mp4", "FF_c23/NeuralTextures/000_003.mp4"]),
        "faceforensics",
    )
    assert entries["FF_c23/original/000.mp4"].group == "faceforensics:000"
    assert (entries["FF_c23/NeuralTextures/000_003.mp4"].label, entries["FF_c23/NeuralTextures/000_003.mp4"].generator) == (
        "fake",
        "NeuralTextures",
    )


def test_dfdc_keeps_a_fake_with_its_original(tmp_path: Path) -> None:
    for part in range(2):
        names = [f"p{part}v{index}" for index in range(8)]
        rows = {f"{name}.mp4": {"label": "REAL", "split": "train"} for name in names}
        rows |= {f"{name}f{k}.mp4": {"label": "FAKE", "split": "train", "original": f"{name}.mp4"} for name in names for k in range(2)}
        folder = write_files(tmp_path / f"dfdc_train_part_{part}", rows)
        (folder / "metadata.json").write_text(json.dumps(rows | {"gone.mp4": {"label": "REAL", "split": "train"}}))
    entries = read_set(tmp_path, "dfdc")
    fake = entries["dfdc_train_part_0/p0v3f1.mp4"]
    assert (facts(fake), fake.group) == (("fake", "dfdc", "", ""), "dfdc:p0v3.mp4")
    assert entries["dfdc_train_part_0/p0v3.mp4"].group == "dfdc:p0v3.mp4"
    assert "metadata.json names 2 files that are not there" in " ".join(read_folder_labels(tmp_path).notes)
    splits = split_entries(entries.values())
    assert all(len(used) == 1 for used in splits_by_identity(splits).values())
    assert set(splits["split"]) == {"train", "val", "test"}


def test_a_metadata_json_of_dfdc_that_is_damaged_is_an_error(tmp_path: Path) -> None:
    write_files(tmp_path, ["a.mp4"])
    (tmp_path / "metadata.json").write_text('{"a.mp4": {"label": "FAKE"')
    with pytest.raises(DatasetError, match=r"metadata\.json.*cannot be read"):
        read_layout(tmp_path)
    (tmp_path / "metadata.json").write_text('{"title": "my photos"}')
    assert read_layout(tmp_path)[0].label == ""
    with pytest.raises(DatasetError, match=r"not a metadata\.json of DFDC"):
        read_layout(tmp_path, options=LabelOptions(layout="dfdc"))


def test_genimage_knows_nature_and_the_generator_above(tmp_path: Path) -> None:
    paths = [
        f"{generator}/{split}/{kind}/{index}.png"
        for generator in ("Midjourney/imagenet_midjourney", "SDV4/imagenet_ai_0419_sdv4", "Stable Diffusion V1.5", "imagenet_glide")
        for split in ("train", "val")
        for kind in ("ai", "nature")
        for index in range(2)
    ]
    entries = read_set(write_files(tmp_path / "GenImage", paths), "genimage")
    assert facts(entries["Midjourney/imagenet_midjourney/train/ai/0.png"]) == ("fake", "Midjourney", "", "train")
    assert facts(entries["Midjourney/imagenet_midjourney/val/nature/0.png"]) == ("real", "", "imagenet", "val")
    assert {entry.generator for entry in entries.values()} == {"", "Midjourney", "stable-diffusion-1.4", "stable-diffusion-1.5", "GLIDE"}
    splits = split_entries(entries.values())
    assert Counter(splits["split"])["val"] == 16  # as the set assigns them


def test_genimage_of_one_generator_and_merged(tmp_path: Path) -> None:
    entries = read_set(write_files(tmp_path / "BigGAN", ["train/ai/0.png", "train/nature/1.JPEG"]), "genimage")
    assert entries["train/ai/0.png"].generator == "BigGAN"
    entries = read_set(write_files(tmp_path / "x", ["imagenet_ai/val/ai/000_sdv5_00023.png", "imagenet_ai/val/nature/n.JPEG"]), "genimage")
    assert entries["imagenet_ai/val/ai/000_sdv5_00023.png"].generator == "stable-diffusion-1.5"
    entries = read_set(write_files(tmp_path / "mine", ["ai/0.png", "nature/1.png"]), "genimage")
    assert entries["ai/0.png"].generator == ""  # the name of the root is no evidence


def test_forensynths_reads_the_generator_above_the_class_folders(tmp_path: Path) -> None:
    paths = [
        f"{base}/{kind}/0.png"
        for base in ("test/biggan", "test/progan/cat", "test/progan/train", "test/deepfake", "train/sofa", "val/train")
        for kind in ("0_real", "1_fake")
    ]
    entries = read_set(write_files(tmp_path / "CNNDetection", paths), "forensynths")
    assert facts(entries["test/biggan/1_fake/0.png"]) == ("fake", "biggan", "", "test")
    assert facts(entries["test/biggan/0_real/0.png"]) == ("real", "", "forensynths-biggan", "test")
    assert facts(entries["test/progan/train/1_fake/0.png"]) == ("fake", "progan", "", "test")  # a category named train
    assert facts(entries["test/deepfake/0_real/0.png"])[0] == "real"
    assert facts(entries["train/sofa/1_fake/0.png"]) == ("fake", "progan", "", "train")
    assert facts(entries["val/train/1_fake/0.png"]) == ("fake", "progan", "", "val")


def test_cifake_is_known_by_its_file_names(tmp_path: Path) -> None:
    paths = [f"{split}/{kind}/{name}" for split in ("train", "test") for kind in ("REAL", "FAKE") for name in ("0000.jpg", "0001 (2).jpg")]
    entries = read_set(write_files(tmp_path / "cifake", paths), "cifake")
    assert facts(entries["train/FAKE/0001 (2).jpg"]) == ("fake", "stable-diffusion-1.4", "", "train")
    assert facts(entries["test/REAL/0000.jpg"]) == ("real", "", "cifar-10", "test")
    other = write_files(tmp_path / "other", ["train/REAL/me.jpg", "train/FAKE/you.jpg"])
    assert {entry.generator for entry in read_layout(other)} == {""}


def test_imagefolder_asks_what_its_classes_mean(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "set", ["train/photos/a.png", "train/0/b.png", "test/photos/sub/c.png", "val/skip_me/d.png"])
    with pytest.raises(DatasetError, match=r"class folder .*neither real nor fake.*all: 0, photos, skip_me.*--labels"):
        read_layout(folder, options=LabelOptions(layout="imagefolder"))
    options = LabelOptions(parse_meanings("photos=real,0=fake,skip_me=none"), layout="imagefolder")
    assert [facts(entry) for entry in read_layout(folder, options=options)] == [
        ("real", "", "sub", "test"),
        ("fake", "", "", "train"),
        ("real", "", "", "train"),
        ("", "", "", "val"),
    ]


@pytest.mark.parametrize("layout", ["", "imagefolder"])
def test_a_hugging_face_metadata_csv_labels_the_files_beside_it(tmp_path: Path, layout: str) -> None:
    folder = write_files(tmp_path, ["train/0001.png", "train/0002.png", "test/0001.png"])
    (folder / "train" / "metadata.csv").write_text("file_name,label\n0001.png,ai\n0002.png,real\n")
    (folder / "test" / "metadata.csv").write_text("file_name,label\n0001.png,real\n")
    entries = read_layout(folder, options=LabelOptions(layout=layout))
    assert [(entry.path, entry.label, entry.split) for entry in entries] == [
        ("test/0001.png", "real", "test"),
        ("train/0001.png", "fake", "train"),
        ("train/0002.png", "real", "train"),
    ]


@pytest.mark.parametrize("layout", sorted({*LAYOUT_NAMES} - {"imagefolder"}))
def test_a_folder_that_is_not_of_the_named_layout_is_refused(tmp_path: Path, layout: str) -> None:
    folder = write_files(tmp_path, ["real/a.png", "fake/b.png"])
    with pytest.raises(DatasetError, match=f"holds no file of the layout {layout}"):
        read_layout(folder, options=LabelOptions(layout=layout))


def test_a_file_beside_a_named_layout_has_a_problem(tmp_path: Path) -> None:
    folder = write_files(tmp_path, [*celeb_paths(), "poster.png"])
    entries = {entry.path: entry for entry in read_layout(folder, options=LabelOptions(layout="celeb-df"))}
    assert isinstance(entries["poster.png"].problem, UnlabeledError)


def test_a_folder_above_a_public_set_that_contradicts_it_is_a_contradiction(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "mine", ["fake/Celeb-real/id0_0000.mp4"])
    contradiction = read_layout(folder)[0].contradiction
    assert contradiction is not None and "real as a file of celeb-df, fake by the folder fake/" in contradiction.statements


def test_a_csv_of_the_other_convention_contradicts_a_public_set(tmp_path: Path) -> None:
    folder = write_files(tmp_path, ["Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4"])
    (folder / "test.csv").write_text("path,label\nCeleb-real/id0_0000.mp4,1\nCeleb-synthesis/id0_id1_0000.mp4,0\n")
    assert all(entry.contradiction for entry in read_layout(folder))
    entries = read_layout(folder, options=LabelOptions(parse_meanings("0=fake,1=real")))
    assert [(entry.label, bool(entry.group), entry.contradiction) for entry in entries] == [("real", True, None), ("fake", True, None)]
