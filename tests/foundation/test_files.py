"""Test atomic writes."""

from pathlib import Path

import pytest

from realframe.files import atomic_path, compute_sha256, link_or_copy, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_link_or_copy_leaves_the_source(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x")
    link_or_copy(tmp_path / "a", tmp_path / "b" / "c")
    assert compute_sha256(tmp_path / "a") == compute_sha256(tmp_path / "b" / "c")
