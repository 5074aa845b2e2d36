"""What ``realframe demo`` does with the set that it finds in its sandbox."""

import json
import shutil
from pathlib import Path

import pytest

from realframe.data.ingest_batch import Batch
from realframe.demo.demo_run import render_set
from realframe.demo.render import Rendered
from realframe.settings import Settings

SMALL = {"clips": 0, "images": 4, "unseen": 0}


@pytest.fixture
def sandbox(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path, home=tmp_path / "state")


def _age(made: Rendered) -> None:
    """Let a set look as if an older version had rendered it, with a file that the present one does not make."""
    for folder in (made.folder, made.unseen):
        if (mark := folder / "demo.json").exists():
            mark.write_text(json.dumps({**json.loads(mark.read_text()), "version": "older"}))
    (made.folder / "real" / "old.jpg").write_bytes(b"old")


def test_the_set_of_another_version_is_rendered_anew_and_said_so(sandbox: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    made = render_set(sandbox, **SMALL)
    batch, mine = Batch(sandbox.raw_dir, made.folder).path, sandbox.raw_dir / "mine" / "a.jpg"
    shutil.copytree(made.folder, batch)
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    _age(made)
    capsys.readouterr()
    again = render_set(sandbox, **SMALL)
    assert again.new == 4
    assert not (again.folder / "real" / "old.jpg").exists()
    assert not batch.exists()
    assert mine.exists()
    assert "another version of realframe" in " ".join(capsys.readouterr().out.split())


def test_unseen_clips_of_another_version_are_enough_for_it(sandbox: Settings) -> None:
    made = render_set(sandbox, clips=0, images=2, unseen=1)
    mark = made.unseen / "demo.json"
    mark.write_text(mark.read_text().replace('"version": "', '"version": "older'))
    assert render_set(sandbox, clips=0, images=2, unseen=1).new == 3


def test_the_set_of_this_version_stays(sandbox: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    made = render_set(sandbox, **SMALL)
    (made.folder / "real" / "mine.jpg").write_bytes(b"mine")
    assert render_set(sandbox, **SMALL).new == 0
    assert (made.folder / "real" / "mine.jpg").exists()
    assert "another version" not in capsys.readouterr().out
