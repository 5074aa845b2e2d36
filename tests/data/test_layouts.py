"""Layouts: labels and splits from folder names and CSV files."""

import os
from pathlib import Path

import pytest

from realframe.data.labels import FileEntry, LabelOptions, parse_meanings
from realframe.data.layouts import read_file_entry, read_folder_labels, read_layout, read_listed_files, read_originals
from realframe.errors import DatasetError, LabelConflictError, UnlabeledError, UnreadableFileError


def write_files(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())
    return folder


def entries_by_path(folder: Path, options: LabelOptions | None = None) -> dict[str, FileEntry]:
    return {entry.path: entry for entry in read_layout(folder, options=options or LabelOptions())}


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("real/a.mp4", "real"),
        ("Real/a.mp4", "real"),
        ("fake/deep/er/a.mp4", "fake"),
        ("set/AI/a.mp4", "fake"),
        ("ai-generated/a.mp4", "fake"),
        ("AI_Generated/a.mp4", "fake"),
        ("generated/a.mp4", "fake"),
        ("synthetic/a.mp4", "fake"),
        ("deepfake/a.mp4", "fake"),
        ("Celeb-synthesis/a.mp4", "fake"),
        ("Celeb-real/a.mp4", "real"),
        ("YouTube-real/a.mp4", "real"),
        ("original/a.mp4", "real"),
        ("authentic/a.mp4", "real"),
        ("camera/a.mp4", "real"),
        ("1_fake/a.png", "fake"),
        ("fake/sdxl/camera/a.mp4", "fake"),  # the outermost folder wins
        ("fake/sdxl/original/a.mp4", "fake"),
        ("real/coco/synthetic/a.mp4", "real"),
        ("surreal/a.mp4", ""),
        ("1/a.mp4", ""),  # a number is a label in a CSV only
        ("a.mp4", ""),
    ],
)
def test_the_outermost_folder_with_a_known_word_is_the_label(tmp_path: Path, path: str, label: str) -> None:
    entry = entries_by_path(write_files(tmp_path, path))[path]
    assert (entry.label, entry.contradiction) == (label, None)


def test_an_inner_folder_of_a_category_does_not_change_the_label_and_is_reported(tmp_path: Path) -> None:
    write_files(tmp_path, "fake/sdxl/camera/a.png", "fake/sdxl/cat/b.png")
    assert read_folder_labels(tmp_path).notes == ["files in folders named camera are fake, since the outer folder decides (1)"]


@pytest.mark.parametrize(
    ("path", "settled_by", "label"),
    [
        ("fake/x/real/a.png", "real=none", "fake"),
        ("fake/x/real/a.png", "fake/x/real=none", "fake"),
        ("fake/x/real/a.png", "fake=none", "real"),
        ("ai/real/a.png", "ai=none", "real"),  # a set about AI, whose real files these may be
        ("synthetic/original/a.png", "original=none", "fake"),
    ],
)
def test_folders_that_contradict_each_other_are_a_contradiction_until_settled(
    tmp_path: Path, path: str, settled_by: str, label: str
) -> None:
    folder = write_files(tmp_path / "set", path)
    contradiction = entries_by_path(folder)[path].contradiction
    assert contradiction is not None and "real" in contradiction.statements and "fake" in contradiction.statements
    assert settled_by.rpartition("/")[2] in contradiction.hint
    settled = entries_by_path(folder, LabelOptions(parse_meanings(settled_by)))[path]
    assert (settled.label, settled.contradiction) == (label, None)


def test_the_name_of_the_root_counts_only_where_nothing_clearer_is_in_it(tmp_path: Path) -> None:
    write_files(tmp_path / "deepfakes", "real/a.png", "fake/b.png")
    assert {path: entry.label for path, entry in entries_by_path(tmp_path / "deepfakes").items()} == {
        "real/a.png": "real",
        "fake/b.png": "fake",
    }
    write_files(tmp_path / "fake", "camera/a.png")
    entry = entries_by_path(tmp_path / "fake")["camera/a.png"]
    assert (entry.label, entry.generator, entry.contradiction) == ("fake", "camera", None)


def test_the_generator_is_not_a_folder_of_a_split_or_of_an_encoding(tmp_path: Path) -> None:
    write_files(tmp_path, "fake/train/c23/videos/sora/a.mp4", "fake/test/sora/b.mp4", "fake/frames/c.png", "real/train/d.png")
    entries = entries_by_path(tmp_path)
    facts = {path: (entry.generator, entry.source, entry.split) for path, entry in entries.items()}
    assert facts == {
        "fake/train/c23/videos/sora/a.mp4": ("sora", "", "train"),
        "fake/test/sora/b.mp4": ("sora", "", "test"),
        "fake/frames/c.png": ("", "", ""),
        "real/train/d.png": ("", "train", ""),  # photos of trains: no folder of another split is beside it
    }


def test_the_folder_itself_can_be_the_label(tmp_path: Path) -> None:
    assert entries_by_path(write_files(tmp_path / "fake", "a.mp4"))["a.mp4"].label == "fake"
    assert read_file_entry(tmp_path / "fake" / "a.mp4").label == "fake"


def test_the_folder_below_the_label_is_the_generator_or_source(tmp_path: Path) -> None:
    entries = entries_by_path(write_files(tmp_path, "fake/sora/x/a.mp4", "real/phone/b.mp4", "fake/c.mp4"))
    assert (entries["fake/sora/x/a.mp4"].generator, entries["fake/sora/x/a.mp4"].source) == ("sora", "")
    assert (entries["real/phone/b.mp4"].generator, entries["real/phone/b.mp4"].source) == ("", "phone")
    assert entries["fake/c.mp4"].generator == ""


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train/real/a.jpg", "train"),
        ("Valid/fake/a.jpg", "val"),
        ("validation/fake/a.jpg", "val"),
        ("test/progan/0_real/a.jpg", "test"),
        ("real/train/a.jpg", ""),  # photos of trains
        ("real/a.jpg", ""),
    ],
)
def test_a_split_folder_is_above_the_label_folder(tmp_path: Path, path: str, split: str) -> None:
    assert entries_by_path(write_files(tmp_path, path))[path].split == split


def test_text_files_are_skipped_unless_named_like_media(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        "real/a.mp4",
        "real/evil.mp4",
        "README.md",
        "LICENSE",
        "real/a.json",
        "real/.a.mp4",
        ".git/b.mp4",
        "Thumbs.db",
        "notes.csv",
    )
    assert sorted(entries_by_path(tmp_path)) == ["real/a.mp4", "real/evil.mp4"]


@pytest.mark.parametrize(("cell", "label"), [("real", "real"), ("FAKE", "fake"), ("0", "real"), ("1", "fake"), ("ai", "fake")])
@pytest.mark.parametrize("column", ["file_path", "path", "filename"])
def test_a_csv_accepts_any_word_for_a_label(tmp_path: Path, cell: str, label: str, column: str) -> None:
    write_files(tmp_path, "clips/a.mp4")
    (tmp_path / "labels.csv").write_text(f"{column},label\nclips/a.mp4,{cell}\n")
    assert entries_by_path(tmp_path)["clips/a.mp4"].label == label


def test_the_paths_of_a_csv_are_relative_to_its_folder_and_it_adds_to_the_folders(tmp_path: Path) -> None:
    write_files(tmp_path, "fake/gen/a.mp4", "fake/gen/b.mp4")
    text = "file_path,label,generator,source,group,split\na.mp4,fake,,,g1,validation\n"
    (tmp_path / "fake" / "gen" / "labels.csv").write_text(text, encoding="utf-8-sig")
    entries = entries_by_path(tmp_path)
    assert entries["fake/gen/a.mp4"] == FileEntry("fake/gen/a.mp4", "fake", "gen", "", "g1", "val")
    assert entries["fake/gen/b.mp4"] == FileEntry("fake/gen/b.mp4", "fake", "gen")


def test_a_csv_that_contradicts_the_folders_is_a_contradiction_until_settled(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "set", "real/a.mp4", "fake/sora/b.mp4")
    (folder / "list.csv").write_text("file_name,target\nreal/a.mp4,1\nfake/sora/b.mp4,0\n")  # Celeb-DF: 1 is real
    contradiction = entries_by_path(folder)["real/a.mp4"].contradiction
    assert contradiction is not None
    assert contradiction.statements == "real by its folders, fake by list.csv, line 2 (1)"
    assert "`--labels 0=fake,1=real`" in contradiction.hint and "--trust csv" in contradiction.hint

    def facts(options: LabelOptions) -> list[tuple[str, str]]:
        entries = entries_by_path(folder, options).values()
        assert not any(entry.contradiction for entry in entries)
        return [(entry.label, entry.generator) for entry in entries]

    assert facts(LabelOptions(parse_meanings("0=fake, 1=real"))) == [("fake", "sora"), ("real", "")]
    assert facts(LabelOptions(trust="folders")) == [("fake", "sora"), ("real", "")]
    assert facts(LabelOptions(trust="csv")) == [("real", ""), ("fake", "")]  # sora is a generator of fakes


def test_numbers_that_no_folder_explains_are_reported(tmp_path: Path) -> None:
    write_files(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "labels.csv").write_text("path,label\na.mp4,0\nb.mp4,1\n")
    (note,) = read_folder_labels(tmp_path).notes
    assert note.startswith("2 labels are numbers") and "--labels 0=fake,1=real" in note
    assert not read_folder_labels(tmp_path, options=LabelOptions(parse_meanings("0=real,1=fake"))).notes


@pytest.mark.parametrize("text", ["real", "real=", "=fake", "a=b", "0=fake,1"])
def test_a_meaning_that_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(DatasetError, match=r"--labels.*WORD=real"):
        parse_meanings(text)


def test_a_csv_without_labels_adds_groups_and_splits_to_the_labels_of_the_folders(tmp_path: Path) -> None:
    write_files(tmp_path, "real/a.mp4", "fake/b.mp4", "c.mp4")
    (tmp_path / "labels.csv").write_text("file_path,group,generator,split\nfake/b.mp4,person1,sora,test\nreal/a.mp4,person1,,test\n")
    entries = entries_by_path(tmp_path)
    assert entries["fake/b.mp4"] == FileEntry("fake/b.mp4", "fake", "sora", group="person1", split="test")
    assert entries["real/a.mp4"] == FileEntry("real/a.mp4", "real", group="person1", split="test")
    (tmp_path / "labels.csv").write_text("file_path,group\nc.mp4,person1\n")
    with pytest.raises(DatasetError, match=r"no column of labels, and no folder labels.*c\.mp4"):
        read_layout(tmp_path)
    assert entries_by_path(tmp_path, LabelOptions(label="real"))["c.mp4"].group == "person1"  # `--label real` labels it


def test_originals_are_labeled_by_what_an_ingest_wrote(tmp_path: Path) -> None:
    header = "file_path,label,generator,source,group,split,licence\n"
    write_files(tmp_path, "set-123456/fake/a.png", "set-123456/real/b.png", "mine/real/c.png")
    (tmp_path / "set-123456" / "labels.csv").write_text(header + "fake/a.png,real,,phone,,,\nreal/b.png,,,,,,\n")
    assert {entry.path: entry.label for entry in read_originals(tmp_path)} == {
        "mine/real/c.png": "real",
        "set-123456/fake/a.png": "real",
        "set-123456/real/b.png": "",  # the user said that `real` is no label
    }
    (tmp_path / "mine" / "list.csv").write_text("path,label\nreal/c.png,fake\n")
    with pytest.raises(LabelConflictError, match=r"1 of 1 files.*mine/real/c\.png is real by its folders, fake by list\.csv"):
        read_originals(tmp_path)


def test_windows_paths_in_a_csv_are_found(tmp_path: Path) -> None:
    write_files(tmp_path, "clips/a.mp4")
    (tmp_path / "labels.csv").write_text("path,label\nclips\\a.mp4,1\n")
    assert entries_by_path(tmp_path)["clips/a.mp4"].label == "fake"


def test_an_error_of_a_row_concerns_its_file_only(tmp_path: Path) -> None:
    write_files(tmp_path / "set", "a.mp4", "b.mp4")
    write_files(tmp_path, "outside.mp4")
    (tmp_path / "set" / "labels.csv").write_text("path,label\na.mp4,maybe\nb.mp4,real\ngone.mp4,real\n../outside.mp4,real\n")
    entries = entries_by_path(tmp_path / "set")
    assert isinstance(entries["a.mp4"].problem, UnlabeledError)
    assert "maybe" in str(entries["a.mp4"].problem) and "labels.csv, line 2" in str(entries["a.mp4"].problem)
    assert entries["b.mp4"].problem is None
    assert "no such file" in str(entries["gone.mp4"].problem) and isinstance(entries["gone.mp4"].problem, UnreadableFileError)
    assert "outside" in str(entries["../outside.mp4"].problem)
    assert len(entries) == 4


def test_two_rows_of_one_file_are_merged_or_conflict(tmp_path: Path) -> None:
    write_files(tmp_path, "a.mp4")
    (tmp_path / "one.csv").write_text("path,label\na.mp4,real\n")
    (tmp_path / "two.csv").write_text("path,label,group\na.mp4,,g\n")
    assert entries_by_path(tmp_path)["a.mp4"] == FileEntry("a.mp4", "real", group="g")
    (tmp_path / "two.csv").write_text("path,label\na.mp4,fake\n")
    with pytest.raises(LabelConflictError, match=r"a\.mp4.*real and fake"):
        read_layout(tmp_path)


def test_an_explicit_csv_replaces_the_csv_files_of_the_folder(tmp_path: Path) -> None:
    write_files(tmp_path / "set", "a.mp4", "b.mp4")
    (tmp_path / "set" / "labels.csv").write_text("path,label\na.mp4,real\n")
    (tmp_path / "mine.csv").write_text("path,label\na.mp4,fake\n")
    entries = read_layout(tmp_path / "set", tmp_path / "mine.csv")
    assert [(entry.path, entry.label) for entry in entries] == [("a.mp4", "fake"), ("b.mp4", "")]
    (tmp_path / "set" / "named.csv").write_text("path,label\nb.mp4,fake\n")
    assert [entry.path for entry in read_listed_files(tmp_path / "set" / "named.csv").entries] == ["b.mp4"]


def test_names_that_are_not_utf8_and_links_to_folders_are_problems(tmp_path: Path) -> None:
    write_files(tmp_path / "elsewhere", "real/a.mp4")
    folder = write_files(tmp_path / "set", "real/b.mp4")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    broken = os.fsencode(folder / "real") + b"/\xff.mp4"
    with open(broken, "wb"):  # noqa: PTH123 - a Path cannot hold this name
        pass
    problems = {entry.path: str(entry.problem) for entry in read_layout(folder) if entry.problem}
    assert "not UTF-8" in problems.pop(os.fsdecode(b"real/\xff.mp4"))
    assert list(problems) == ["linked"] and "link" in problems["linked"]


def test_a_media_file_with_the_name_of_a_text_file_is_listed(tmp_path: Path) -> None:
    folder = write_files(tmp_path, "real/notes.txt", "real/README", "fake/readme.md")
    for name in ("real/photo.txt", "real/LICENSE", "fake/photo.csv", "fake/photo"):
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    os.mkfifo(folder / "real" / "pipe.txt")
    assert set(entries_by_path(folder)) == {"real/photo.txt", "real/LICENSE", "fake/photo.csv", "fake/photo"}
