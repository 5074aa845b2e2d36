"""Ingest: new files are copied into the living folder of originals."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from realframe.data import file_hashes, ingest_batch
from realframe.data.ingest import ingest
from realframe.data.labels import FileEntry, LabelOptions, parse_meanings
from realframe.data.layouts import read_layout, read_originals
from realframe.errors import DatasetError, LabelConflictError
from realframe.settings import get_settings
from tests.data.dataset_rows import write_picture


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "holiday"
    write_picture(folder / "real" / "phone" / "a.png", 1)
    write_picture(folder / "fake" / "sora" / "b.png", 2)
    write_picture(folder / "c.png", 3)
    (folder / "README.md").write_text("mine")
    (folder / "labels.csv").write_text("path,label,group\nc.png,1,g7\n")
    return folder


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    facts = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {str(path.relative_to(folder)): (path.read_bytes(), fact.st_mtime_ns, fact.st_nlink) for path, fact in facts.items()}


def entries_by_name(raw: Path) -> dict[str, FileEntry]:
    return {Path(entry.path).name: entry for entry in read_originals(raw)}


def test_files_are_copied_with_their_labels_and_the_source_is_unchanged(source: Path, raw: Path, cache: Path) -> None:
    before = snapshot(source)
    summary = ingest(source, raw, cache_dir=cache)
    assert (summary.file_count, summary.copied_count, summary.present_count, summary.duplicate_count, summary.rejected) == (3, 3, 0, 0, {})
    assert {name: problem.reason for name, problem in summary.skipped.items()} == {"README.md": "is a text file"}
    assert snapshot(source) == before  # no hard links either: st_nlink is compared
    entries = entries_by_name(raw)
    assert (entries["a.png"].label, entries["a.png"].source) == ("real", "phone")
    assert (entries["b.png"].label, entries["b.png"].generator) == ("fake", "sora")
    assert (entries["c.png"].label, entries["c.png"].group) == ("fake", "g7")
    assert (raw / entries["c.png"].path).read_bytes() == (source / "c.png").read_bytes()
    assert "3 files: 3 copied (1 real, 2 fake)" in str(summary)


def test_a_second_ingest_copies_and_reads_nothing(source: Path, raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in source.rglob("*.png"):
        os.utime(file, (1, 1))  # old enough that their digests are stored
    ingest(source, raw, cache_dir=cache)
    before = snapshot(raw)
    monkeypatch.setattr(file_hashes, "compute_sha256", lambda path: pytest.fail(f"{path} was read again"))
    summary = ingest(source, raw, cache_dir=cache)
    assert (summary.file_count, summary.copied_count, summary.present_count) == (3, 0, 3)
    assert snapshot(raw) == before


def test_one_new_file_costs_one_copy(source: Path, raw: Path, cache: Path) -> None:
    ingest(source, raw, cache_dir=cache)
    write_picture(source / "real" / "new.png", 9)
    assert (ingest(source, raw, cache_dir=cache).copied_count, len(entries_by_name(raw))) == (1, 4)


def test_the_same_bytes_are_stored_once_and_new_facts_are_added(source: Path, raw: Path, cache: Path, tmp_path: Path) -> None:
    ingest(source, raw, cache_dir=cache)
    other = tmp_path / "other"
    write_picture(other / "real" / "again.png", 1)
    write_picture(other / "real" / "twice.png", 1)
    (other / "facts.csv").write_text("path,label,group\nreal/again.png,real,g1\n")
    summary = ingest(other, raw, cache_dir=cache)
    assert (summary.file_count, summary.copied_count, summary.present_count, summary.duplicate_count) == (2, 0, 1, 1)
    assert (entries_by_name(raw)["a.png"].group, entries_by_name(raw)["a.png"].source) == ("g1", "phone")


def test_a_label_can_be_added_later(raw: Path, cache: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "heap" / "a.png")
    assert ingest(tmp_path / "heap", raw, cache_dir=cache).labels == {"": 1}
    assert entries_by_name(raw)["a.png"].label == ""
    assert ingest(tmp_path / "heap", raw, cache_dir=cache, overrides=FileEntry("", "fake", "sora")).copied_count == 0
    assert (entries_by_name(raw)["a.png"].label, entries_by_name(raw)["a.png"].generator) == ("fake", "sora")


@pytest.mark.parametrize("earlier", [True, False])
def test_the_same_bytes_with_both_labels_are_an_error_before_anything_is_copied(
    raw: Path, cache: Path, tmp_path: Path, earlier: bool
) -> None:
    write_picture(tmp_path / "one" / "real" / "a.png", 1)
    other = tmp_path / "two" if earlier else tmp_path / "one"
    write_picture(other / "fake" / "b.png", 1)
    write_picture(other / "fake" / "c.png", 2)
    if earlier:
        ingest(tmp_path / "one", raw, cache_dir=cache)
    before = snapshot(raw)
    with pytest.raises(LabelConflictError, match=r"b\.png") as caught:
        ingest(other, raw, cache_dir=cache)
    assert "a.png" in str(caught.value)
    assert snapshot(raw) == before


def test_another_file_of_the_same_name_gets_its_own_name(raw: Path, cache: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    write_picture(inbox / "real" / "a.png", 1)
    ingest(inbox, raw, cache_dir=cache)
    write_picture(inbox / "real" / "a.png", 2)
    assert ingest(inbox, raw, cache_dir=cache).copied_count == 1
    stored = [entry for entry in read_layout(raw) if not entry.problem]
    assert len(stored) == 2 and {entry.label for entry in stored} == {"real"}


def test_overrides_take_precedence_over_folders_and_csv(source: Path, raw: Path, cache: Path) -> None:
    ingest(source, raw, cache_dir=cache, overrides=FileEntry("", "real", source="museum", group="g"))
    assert {(entry.label, entry.generator, entry.source, entry.group) for entry in entries_by_name(raw).values()} == {
        ("real", "", "museum", "g")
    }


def test_a_single_file_and_only_the_files_of_a_csv(source: Path, raw: Path, cache: Path) -> None:
    assert ingest(source / "real" / "phone" / "a.png", raw, cache_dir=cache, overrides=FileEntry("", "real")).copied_count == 1
    assert ingest(source / "labels.csv", raw, cache_dir=cache).copied_count == 1
    assert sorted(entries_by_name(raw)) == ["a.png", "c.png"]


def test_a_killed_ingest_is_completed_by_the_next(
    source: Path, raw: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = iter((ingest_batch._copy_and_hash,))

    def copy_until_killed(origin: Path, target: Path) -> str:
        target.write_bytes(b"half")
        work = next(copies, None)
        if work is None:
            os.link(target, target.with_name(".b.12345678.tmp.png"))  # a killed process leaves this file
            raise KeyboardInterrupt
        return work(origin, target)

    with monkeypatch.context() as patched:
        patched.setattr(ingest_batch, "_copy_and_hash", copy_until_killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(source, raw, cache_dir=cache)
    assert len(list(raw.rglob("*.png"))) == 2  # one whole file, one leftover

    assert ingest(source, raw, cache_dir=cache).copied_count == 2
    untouched = tmp_path / "never-killed"
    ingest(source, untouched, cache_dir=cache)
    assert {name: facts[0] for name, facts in snapshot(raw).items()} == {name: facts[0] for name, facts in snapshot(untouched).items()}


def test_a_file_that_changes_during_the_copy_is_rejected(source: Path, raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_and_hash = ingest_batch._copy_and_hash

    def copy_of_growing_file(origin: Path, target: Path) -> str:
        if origin.name == "a.png":
            with origin.open("ab") as stream:
                stream.write(b"more")
        return copy_and_hash(origin, target)

    monkeypatch.setattr(ingest_batch, "_copy_and_hash", copy_of_growing_file)
    summary = ingest(source, raw, cache_dir=cache)
    assert summary.copied_count == 2 and "changed" in str(summary.rejected["real/phone/a.png"])
    assert "a.png" not in entries_by_name(raw)


def test_files_that_may_still_be_arriving_are_skipped(source: Path, raw: Path, cache: Path) -> None:
    long_ago = time.time() - 3600
    os.utime(source / "c.png", (long_ago, long_ago))
    summary = ingest(source, raw, cache_dir=cache, min_age_s=60)
    assert (summary.copied_count, len(summary.rejected)) == (1, 2)
    assert summary.file_count == summary.copied_count + len(summary.rejected)


def test_links_out_of_the_folder_and_missing_files_are_reported(source: Path, raw: Path, cache: Path, tmp_path: Path) -> None:
    secret = write_picture(tmp_path / "elsewhere" / "secret.png", 5)
    (source / "real" / "s.png").symlink_to(secret)
    (source / "labels.csv").write_text("path,label\ngone.png,real\n")
    summary = ingest(source, raw, cache_dir=cache)
    assert "leads out" in str(summary.rejected["real/s.png"]) and "no such file" in str(summary.rejected["gone.png"])
    assert (summary.file_count, summary.copied_count) == (5, 3)


@pytest.mark.parametrize(("text", "code"), [("", "media.empty"), ("<html>404</html>", "media.not-media")])
def test_files_that_are_not_media_are_skipped_with_the_reason(raw: Path, cache: Path, tmp_path: Path, text: str, code: str) -> None:
    for label in ("real", "fake"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "bad.mp4").write_text(text)
    summary = ingest(tmp_path / "set", raw, cache_dir=cache)
    assert {name: problem.code for name, problem in summary.skipped.items()} == {"fake/bad.mp4": code, "real/bad.mp4": code}
    assert (summary.file_count, summary.copied_count) == (0, 0)


def test_a_missing_folder_and_a_full_disk_are_errors_with_a_hint(
    source: Path, raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="no such file or folder"):
        ingest(tmp_path / "nowhere", raw, cache_dir=cache)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))  # type: ignore[attr-defined]
    with pytest.raises(DatasetError, match="Free disk space"):
        ingest(source, raw, cache_dir=cache)
    assert not list(raw.rglob("*.png"))


def test_the_command_ingests_and_prints_the_summary(source: Path, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from realframe.cli.data_commands import ingest as command

    (tmp_path / "checkout").mkdir()
    for name in ("dvc.yaml", "pyproject.toml"):  # what makes a folder a checkout
        shutil.copy(root / name, tmp_path / "checkout")
    monkeypatch.setenv("REALFRAME_ROOT", str(tmp_path / "checkout"))
    get_settings.cache_clear()
    app = typer.Typer()
    app.command()(command)
    write_picture(source / "x.png", 11)
    (source / "evil.py").write_text("import os")
    try:
        result = CliRunner().invoke(app, [str(source)])
        assert result.exit_code == 0, result.output
        assert "4 files: 4 copied (1 real, 2 fake, 1 unlabeled)" in result.output and "--label" in result.output
        assert "2 skipped" in result.output and "evil.py is neither an image nor a video" in result.output
        assert not list((tmp_path / "checkout" / "data").rglob("*.py"))
        assert CliRunner().invoke(app, [str(source / "x.png"), "--label", "maybe"]).exit_code == 2
        assert CliRunner().invoke(app, [str(source / "x.png"), "--label", "fake", "--generator", "sora"]).exit_code == 0
        assert entries_by_name(tmp_path / "checkout" / "data" / "raw")["x.png"].generator == "sora"
        assert "--label-csv" in CliRunner().invoke(app, ["--help"]).output
        assert CliRunner().invoke(app, [str(source), "--layout", "nosuch"]).exit_code == 2
        refused = CliRunner().invoke(app, [str(source), "--layout", "celeb-df"])
        assert isinstance(refused.exception, DatasetError) and "no file of the layout celeb-df" in str(refused.exception)
        (source / "list.csv").write_text("path,label\nreal/phone/a.png,1\nreal/gone.png,1\n")
        kept = CliRunner().invoke(app, [str(source)])
        assert "1 files keep the label of an earlier ingest" in kept.output
        write_picture(source / "real" / "new.png", 21)
        with (source / "list.csv").open("a") as stream:
            stream.write("real/new.png,1\n")
        contradicted = CliRunner().invoke(app, [str(source)])
        assert isinstance(contradicted.exception, LabelConflictError) and "--trust" in str(contradicted.exception)
        with zipfile.ZipFile(source / "more.zip", "w") as packed:
            packed.write(write_picture(tmp_path / "y.png", 12), "real/y.png")
        settled = CliRunner().invoke(app, [str(source), "--trust", "folders", "--unpack"])
        assert settled.exit_code == 1, settled.output  # real/gone.png is missing
        assert "2 copied (2 real)" in settled.output and "gone.png is named in list.csv, line 3" in settled.output
    finally:
        get_settings.cache_clear()


def test_only_media_is_taken_in_and_never_under_the_name_of_a_program(source: Path, raw: Path, cache: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "picture.gif", 7)
    both = (tmp_path / "picture.gif").read_bytes()
    (source / "real" / "polyglot.py").write_bytes(both)  # a picture and, with the right comment, a program
    (source / "real" / "plain.PNG").write_bytes((source / "c.png").read_bytes() + b"0")
    (source / "fake" / "evil.py").write_text("import os")
    (source / "fake" / "evil.so").write_bytes(b"\x7fELF" + bytes(100))
    (source / "fake" / "more.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (source / "fake" / "sound.mp4").write_bytes(b"ID3" + bytes(100))
    (source / "fake" / "empty.mp4").touch()
    summary = ingest(source, raw, cache_dir=cache)
    assert {name: problem.code for name, problem in summary.skipped.items()} == {
        "fake/evil.py": "media.not-media",
        "fake/evil.so": "media.not-media",
        "fake/more.zip": "media.not-media",
        "fake/sound.mp4": "media.no-video-stream",
        "fake/empty.mp4": "media.empty",
        "README.md": "media.not-media",
    }
    assert "archive" in summary.skipped["fake/more.zip"].reason
    assert "6 skipped" in str(summary)
    assert (summary.file_count, summary.copied_count) == (5, 5)
    stored = {path.name for path in raw.rglob("*") if path.is_file()}
    assert stored == {"a.png", "b.png", "c.png", "plain.PNG", "polyglot.py.gif", "labels.csv"}
    assert entries_by_name(raw)["polyglot.py.gif"].label == "real"
    assert ingest(source, raw, cache_dir=cache).copied_count == 0


def test_contradictions_stop_the_ingest_before_anything_is_copied(raw: Path, cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "set"
    for index in range(5):
        write_picture(source / "real" / f"{index}.png", index)
    (source / "list.csv").write_text("path,label\n" + "".join(f"real/{index}.png,1\n" for index in range(4)))
    with pytest.raises(LabelConflictError, match=r"4 of 5 files.*real/0\.png is real by its folders.*`--labels 0=fake,1=real`"):
        ingest(source, raw, cache_dir=cache)
    assert not raw.exists()
    options = LabelOptions(parse_meanings("0=fake,1=real"))
    assert ingest(source, raw, cache_dir=cache, options=options).labels == {"real": 5}
    assert ingest(source, raw, cache_dir=cache).present_count == 5  # what was settled stays settled, also for a run that reads the inbox
    write_picture(source / "fake" / "x" / "real" / "new.png", 9)
    with pytest.raises(LabelConflictError, match="1 of 6 files"):
        ingest(source, raw, cache_dir=cache)
    assert ingest(source, raw, cache_dir=cache, overrides=FileEntry("", "real")).copied_count == 1  # a label for all settles it too


def test_groups_of_the_same_bytes_in_two_sources_both_hold(raw: Path, cache: Path, tmp_path: Path) -> None:
    for name, group in (("one", "g1"), ("two", "g2")):
        write_picture(tmp_path / name / "real" / "a.png", 1)
        ingest(tmp_path / name, raw, cache_dir=cache, overrides=FileEntry("", group=group))
    assert entries_by_name(raw)["a.png"].group == "g1|g2"


def test_long_names_are_stored(raw: Path, cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set" / "real"
    names = ["a" * 251 + ".png", "b" * 238 + ".png", "\N{GREEK SMALL LETTER OMEGA}" * 125 + ".png", "c" * 255, "d" * 250 + ".py", "ok.png"]
    for index, name in enumerate(names):
        write_picture(folder / "new.png", index).rename(folder / name)
    assert ingest(tmp_path / "set", raw, cache_dir=cache).copied_count == 6
    stored = {path.name for path in raw.rglob("*") if path.is_file()}
    assert stored == {*names[:4], f"{'d' * 250}..png", "ok.png", "labels.csv"}
    write_picture(folder / names[0], 77)  # other bytes under the same long name
    assert ingest(tmp_path / "set", raw, cache_dir=cache).copied_count == 1
    assert len([entry for entry in read_originals(raw) if entry.label == "real" and not entry.problem]) == 7


UNREADABLE_SCRIPT = """
import sys
from pathlib import Path
from realframe.data.ingest import ingest
summary = ingest(Path(sys.argv[1]), Path(sys.argv[2]), cache_dir=Path(sys.argv[3]))
print({name: problem.reason for name, problem in sorted(summary.rejected.items())})
print(summary.copied_count, summary.has_unread_files)
"""


def test_a_folder_that_cannot_be_read_is_named(raw: Path, cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set" / "real"
    for name in ("open", "closed", "listed"):
        write_picture(folder / name / "a.png", len(name))
    (folder / "closed").chmod(0)
    (folder / "listed").chmod(0o400)  # its names can be read, its files cannot
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root reads every folder, and setpriv is not installed")
    command = [*(drop if os.geteuid() == 0 else []), sys.executable, "-c", UNREADABLE_SCRIPT, str(tmp_path / "set"), str(raw), str(cache)]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    finally:
        for name in ("closed", "listed"):
            (folder / name).chmod(0o700)
    assert output == [
        "{'real/closed': 'is a folder that cannot be read: Permission denied', 'real/listed/a.png': 'cannot be read: Permission denied'}",
        "1 True",
    ]
