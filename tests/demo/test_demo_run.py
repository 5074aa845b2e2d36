"""``realframe demo`` keeps or replaces an existing demo set."""

import json
import shutil
from pathlib import Path

import pytest

from realframe.data.ingest_batch import IngestBatch
from realframe.demo.demo_run import prepare_demo_set
from realframe.demo.render import RenderedSet
from realframe.settings import Settings

SMALL = {"clips": 0, "images": 4, "unseen": 0}


@pytest.fixture
def sandbox(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path, home=tmp_path / "state")


def _make_outdated(made: RenderedSet) -> None:
    """Change a set as if an older version had rendered it, with a file that this version does not write."""
    for folder in (made.folder, made.unseen_dir):
        if (mark := folder / "demo.json").exists():
            mark.write_text(json.dumps({**json.loads(mark.read_text()), "version": "older"}))
    (made.folder / "real" / "old.jpg").write_bytes(b"old")


def test_a_set_of_another_version_is_rendered_again_with_a_note(sandbox: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    made = prepare_demo_set(sandbox, **SMALL)
    batch, mine = IngestBatch(sandbox.raw_dir, made.folder).path, sandbox.raw_dir / "mine" / "a.jpg"
    shutil.copytree(made.folder, batch)
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    _make_outdated(made)
    capsys.readouterr()
    second = prepare_demo_set(sandbox, **SMALL)
    assert second.rendered_count == 4
    assert not (second.folder / "real" / "old.jpg").exists()
    assert not batch.exists()
    assert mine.exists()
    assert "another version of realframe" in " ".join(capsys.readouterr().out.split())


def test_outdated_unseen_clips_replace_the_set(sandbox: Settings) -> None:
    made = prepare_demo_set(sandbox, clips=0, images=2, unseen=1)
    mark = made.unseen_dir / "demo.json"
    mark.write_text(mark.read_text().replace('"version": "', '"version": "older'))
    assert prepare_demo_set(sandbox, clips=0, images=2, unseen=1).rendered_count == 3


def test_a_set_of_this_version_is_kept(sandbox: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    made = prepare_demo_set(sandbox, **SMALL)
    (made.folder / "real" / "mine.jpg").write_bytes(b"mine")
    assert prepare_demo_set(sandbox, **SMALL).rendered_count == 0
    assert (made.folder / "real" / "mine.jpg").exists()
    assert "another version" not in capsys.readouterr().out
