"""A full disk is recognized whatever reports it, and its error names the folder."""

import errno
import sqlite3
from pathlib import Path

import pytest

from realframe.disk_space import is_disk_full, make_disk_full_error


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError("unable to create file (errno = 28, error message = 'No space left on device')"), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (sqlite3.OperationalError("no such table: disk is full"), False),
        (OSError(errno.ENOENT, "No such file", "No space left on device.jpg"), False),
        (ValueError("cannot decode 'No space left on device.jpg'"), False),
    ],
)
def test_a_full_disk_is_known_by_what_a_file_name_cannot_state(error: Exception, is_full: bool) -> None:
    assert is_disk_full(error) is is_full
    try:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("the run failed") from cause
    except RuntimeError as failure:
        assert is_disk_full(failure) is is_full


def test_the_error_of_a_full_disk_names_the_folder_of_the_file(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "missing" / "table.parquet"))
    full = make_disk_full_error(error, [Path("/")])
    assert full.subject == str(tmp_path)
    assert "MB free" in full.reason
    assert make_disk_full_error(OSError(errno.ENOSPC, "x"), [tmp_path / "missing"]).subject == str(tmp_path)
