"""Tables of labels: what is certain is understood, and what is not is an error that says why."""

import json
from pathlib import Path

import pytest

from realframe.data.label_table import is_label_table
from realframe.data.labels import FileEntry, LabelOptions, parse_meanings
from realframe.data.layouts import read_folder_labels, read_layout
from realframe.errors import DatasetError

ROWS = [("a.mp4", "fake", "sora", "g1", "test"), ("b.mp4", "real", "", "g2", "train")]
EXPECTED = [FileEntry("a.mp4", "fake", "sora", "", "g1", "test"), FileEntry("b.mp4", "real", "", "", "g2", "train")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def table(separator: str = ",", columns: str = "file_path,label,generator,group,split", before: str = "") -> str:
    return before + "\n".join(separator.join(row) for row in (columns.split(","), *ROWS)) + "\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("labels.csv", table().encode()),
        ("labels.csv", table(";").encode("utf-8-sig")),
        ("any.csv", table("\t").encode()),
        ("labels.tsv", table("\t").encode()),
        ("labels.csv", table("|").encode()),
        ("labels.csv", table(";", before="sep=;\n").encode()),
        ("labels.csv", table(before="# made by hand\n\n# in May\n").encode()),
        ("labels.csv", table().encode("utf-16")),
        ("labels.csv", table(columns="file_name,target,generator,group,split").encode()),
        ("labels.csv", table(columns="filename,class,generator,group,subset").encode()),
        ("metadata.csv", table(columns="file_name,label,generator,group,split").encode()),
        ("LABELS.CSV", table().replace("\n", "\r\n").encode()),
        (
            "metadata.jsonl",
            "\n".join(
                json.dumps(dict(zip(("file_name", "label", "generator", "group", "split"), row, strict=True))) for row in ROWS
            ).encode(),
        ),
    ],
)
def test_a_table_whose_meaning_is_certain_is_understood(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    found = read_folder_labels(folder)
    assert (found.entries, found.texts, found.notes) == (EXPECTED, [], [])


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("labels.csv", b"name,label\na.mp4,fake\n", "no column that names files.*name, label"),
        ("labels.csv", b"file_path\na.mp4\n", "no column of labels"),
        ("labels.csv", b"a.mp4,fake\nb.mp4,real\n", "no column that names files"),  # no header
        ("any.csv", b"a.mp4,fake\nb.mp4,real\n", "no column that names files"),
        ("any.csv", b"img;person;split\na.mp4;p1;train\n", "no column that names files"),
        ("labels.csv", b"", "empty"),
        ("labels.csv", "path,label\na.mp4,fake\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        ("any.csv", "path,label\na.mp4,fake\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        ("labels.csv", "path,label\ncaf\xe9.mp4,real\n".encode("latin-1"), "UTF-8"),
        ("labels.csv", b"path,label\na.mp4,A\nb.mp4,B\n", "none of its values means real or fake: 'A', 'B'.*--labels A=real"),
        ("labels.csv", b"path,label,split\na.mp4,real,holdout\n", "holdout"),
        ("labels.json", b"{}", "json files are not read"),
        ("labels.xlsx", b"PK\x03\x04", "xlsx files are not read"),
        ("labels.jsonl", b"{not json}\n", "cannot be read as a table"),
    ],
)
def test_a_table_that_is_not_understood_is_an_error_that_says_why(folder: Path, name: str, data: bytes, reason: str) -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(DatasetError, match=rf"(?s){name}.*{reason}"):
        read_layout(folder)
    found = read_folder_labels(folder, options=LabelOptions(trust="folders"))
    assert [entry.label for entry in found.entries if entry.path in ("a.mp4", "b.mp4")] == ["", ""]
    assert any(note.startswith(f"{name} is ignored") for note in found.notes)


def test_words_of_its_own_are_understood_once_they_are_explained(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,label\na.mp4,A\nb.mp4,B\n")
    entries = read_layout(folder, options=LabelOptions(parse_meanings("A=real,B=none")))
    assert [(entry.label, entry.problem) for entry in entries] == [("real", None), ("", None)]


@pytest.mark.parametrize(("column", "labels"), [("is_fake", ["fake", "real"]), ("is_real", ["real", "fake"])])
@pytest.mark.parametrize("cells", [("1", "0"), ("True", "False"), ("yes", "no")])
def test_a_column_that_says_what_it_counts_needs_no_convention(
    folder: Path, column: str, labels: list[str], cells: tuple[str, str]
) -> None:
    (folder / "labels.csv").write_text(f"path,{column}\na.mp4,{cells[0]}\nb.mp4,{cells[1]}\n")
    assert [entry.label for entry in read_layout(folder)] == labels


def test_a_column_of_categories_is_no_label_and_unread_columns_are_named(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,class,is_fake,person\na.mp4,dog,1,p1\nb.mp4,cat,0,p2\n")
    found = read_folder_labels(folder)
    assert [entry.label for entry in found.entries] == ["fake", "real"]
    assert found.notes == ["labels.csv: these columns are not read: class, person"]


def test_tables_about_other_things_are_left_alone(folder: Path) -> None:
    (folder / "checksums.csv").write_text("a.mp4,0cc175b9c0f1b6a831c399e269772661\n")
    (folder / "colours.csv").write_text("name,colour\nsky,blue\n")
    assert not is_label_table(folder / "checksums.csv", {"a.mp4"})
    found = read_folder_labels(folder)
    assert found.texts == ["checksums.csv", "colours.csv"] and [entry.label for entry in found.entries] == ["", ""]
