"""Archives: what is in them is ingested on request, within limits, and nothing is written outside of their folder."""

import io
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import pytest

from realframe.data import archives
from realframe.data.archives import ingest_archives, unpack_archive
from realframe.data.ingest import IngestSummary, ingest
from realframe.data.layouts import read_originals
from realframe.errors import NotMediaError
from tests.data.dataset_rows import write_picture


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def picture(folder: Path, seed: int) -> bytes:
    return write_picture(folder / "p.png", seed).read_bytes()


def unpack_and_ingest(path: Path, raw: Path, cache: Path, unpack_dir: Path) -> IngestSummary:
    ingest_folder = partial(ingest, raw_dir=raw, cache_dir=cache)
    summary = ingest_folder(path)
    ingest_archives(summary, path, unpack_dir, ingest_folder)
    assert [file.name for file in unpack_dir.iterdir()] in ([], ["unpack.lock"])  # nothing is left
    return summary


def test_archives_are_named_and_unpacked_on_request(raw: Path, cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "set"
    write_picture(source / "real" / "a.png", 1)
    write_zip(source / "fake" / "sora.zip", {"x/b.png": picture(tmp_path, 2), "x/.hidden.png": b"", "__MACOSX/b.png": b"", "x/": b""})
    with tarfile.open(source / "more.tar.gz", "w:gz") as packed:
        for name, data in {"real/c.png": picture(tmp_path, 3), "labels.csv": b"path,label,group\nreal/c.png,real,g1\n"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    summary = ingest(source, raw, cache_dir=cache)
    assert summary.copied_count == 1 and not summary.labels[""]
    assert "--unpack" in summary.skipped["more.tar.gz"].hint and "not unpacked" in summary.skipped["fake/sora.zip"].reason
    summary = unpack_and_ingest(source, raw, cache, tmp_path / "unpacked")
    assert (summary.copied_count, summary.present_count, summary.labels) == (2, 1, {"fake": 1, "real": 1})
    assert not summary.has_unread_files
    entries = {Path(entry.path).name: entry for entry in read_originals(raw)}
    assert (entries["b.png"].label, entries["b.png"].generator) == ("fake", "sora")  # an archive is a folder of its name
    assert (entries["c.png"].label, entries["c.png"].group) == ("real", "g1")
    assert unpack_and_ingest(source, raw, cache, tmp_path / "unpacked").copied_count == 0


def test_a_single_archive_is_unpacked(raw: Path, cache: Path, tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "fake.zip", {"b.png": picture(tmp_path, 2)})
    assert unpack_and_ingest(archive, raw, cache, tmp_path / "unpacked").labels == {"fake": 1}


@pytest.mark.parametrize("name", ["../../evil.png", "/tmp/evil.png", "..\\..\\evil.png", "C:\\evil.png", "a/../../evil.png"])
def test_a_path_out_of_the_folder_is_refused_and_nothing_is_written(raw: Path, cache: Path, tmp_path: Path, name: str) -> None:
    data = picture(tmp_path, 2)
    source = write_zip(tmp_path / "set" / "bad.zip", {"ok.png": data, name: data}).parent
    before = set(tmp_path.rglob("*"))
    summary = unpack_and_ingest(source, raw, cache, tmp_path / "unpacked")
    assert "leads out of its folder" in summary.rejected["bad.zip"].reason
    assert (summary.file_count, summary.copied_count, summary.has_unread_files) == (1, 0, True)
    new = {path.relative_to(tmp_path).parts[0] for path in set(tmp_path.rglob("*")) - before}
    assert new <= {"data", "cache", "unpacked"} and not list(raw.rglob("*.png"))


def test_links_and_devices_in_an_archive_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "links.tar", "w") as packed:
        for name, kind in (("link.png", tarfile.SYMTYPE), ("hard.png", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            packed.addfile(member)
    info = zipfile.ZipInfo("link.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as packed_zip:
        packed_zip.writestr(info, "/etc/passwd")
    for name in ("links.tar", "links.zip"):
        assert unpack_archive(tmp_path / name, tmp_path / f"{name}-out") == 0
        assert not list((tmp_path / f"{name}-out").iterdir())


def test_a_zip_bomb_is_stopped_while_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_FREE_GROWTH_BYTES", 1 << 16)
    bomb = write_zip(tmp_path / "bomb.zip", {f"{index}.png": bytes(1 << 22) for index in range(4)})
    for target in ("stated", "hidden"):
        with pytest.raises(NotMediaError, match="grows more than 100-fold"):
            unpack_archive(bomb, tmp_path / target)
        assert not (tmp_path / target).exists()
        monkeypatch.setattr(archives._Member, "size", property(lambda _: 0, lambda *_: None), raising=False)  # one that lies about its size


def test_many_files_two_of_one_name_encryption_and_damage_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(tmp_path / "twice.zip", "w") as packed:
        packed.writestr("a.png", b"1")
        packed.writestr("a.png", b"2")
    with pytest.raises(NotMediaError, match=r"two files named a\.png"):
        unpack_archive(tmp_path / "twice.zip", tmp_path / "out")
    data = bytearray(write_zip(tmp_path / "secret.zip", {"a.png": b"1"}).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(data)
    with pytest.raises(NotMediaError, match="encrypted"):
        unpack_archive(tmp_path / "secret.zip", tmp_path / "out")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "one.gz").write_bytes(b"\x1f\x8b" + bytes(100))
    for name in ("broken.zip", "one.gz"):
        with pytest.raises(NotMediaError, match="cannot be unpacked"):
            unpack_archive(tmp_path / name, tmp_path / "out")
    monkeypatch.setattr(archives, "_MAX_FILES", 2)
    with pytest.raises(NotMediaError, match="more than 2 files"):
        unpack_archive(write_zip(tmp_path / "many.zip", {f"{index}.png": b"" for index in range(3)}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
