"""Layouts: labels and splits from folder names and CSV files."""

import os
from pathlib import Path

import pytest

from realframe.data.labels import FileEntry
from realframe.data.layouts import read_file_entry, read_layout, read_listed_files
from realframe.errors import DatasetError, LabelConflictError, UnlabeledError, UnreadableFileError


def write_files(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())
    return folder


def entries_by_path(folder: Path) -> dict[str, FileEntry]:
    return {entry.path: entry for entry in read_layout(folder)}


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
        ("fake/real/a.mp4", "real"),  # the nearest folder wins
        ("surreal/a.mp4", ""),
        ("1/a.mp4", ""),  # a number is a label in a CSV only
        ("a.mp4", ""),
    ],
)
def test_the_nearest_folder_with_a_known_word_is_the_label(tmp_path: Path, path: str, label: str) -> None:
    assert entries_by_path(write_files(tmp_path, path))[path].label == label


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


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_takes_precedence_and_its_paths_are_relative_to_its_folder(tmp_path: Path, separator: str) -> None:
    write_files(tmp_path, "fake/gen/a.mp4", "fake/gen/b.mp4")
    rows = ["file_path,label,generator,source,group,split", "a.mp4,real,,phone,g1,validation"]
    text = "\n".join(row.replace(",", separator) for row in rows)
    (tmp_path / "fake" / "gen" / "labels.csv").write_text(text, encoding="utf-8-sig")
    entries = entries_by_path(tmp_path)
    assert entries["fake/gen/a.mp4"] == FileEntry("fake/gen/a.mp4", "real", "", "phone", "g1", "val")  # gen is a generator of fakes
    assert entries["fake/gen/b.mp4"] == FileEntry("fake/gen/b.mp4", "fake", "gen")


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
    assert [entry.path for entry in read_listed_files(tmp_path / "set" / "named.csv")] == ["b.mp4"]


def test_an_unusable_csv_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("name,colour\na,b\n")
    with pytest.raises(DatasetError, match=r"x\.csv.*not a CSV of labels.*file_path"):
        read_layout(tmp_path, tmp_path / "x.csv")
    (tmp_path / "y.csv").write_bytes("path,label\ncaf\xe9.mp4,real\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"y\.csv.*UTF-8"):
        read_layout(tmp_path)
    (tmp_path / "y.csv").write_text("path,label,split\na.mp4,real,holdout\n")
    with pytest.raises(DatasetError, match=r"y\.csv, line 2.*holdout"):
        read_layout(tmp_path)


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
