"""``score_media``, run by Airflow itself on a folder of good, broken and empty files: to its end, and after a kill in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings
from realframe.store.repository import Store
from realframe.store.user_documents import Prediction
from tests.state_fixtures import embedded_uri, settings, store, three_versions

__all__ = ["embedded_uri", "settings", "store", "three_versions"]
pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]
FORM = {"model": "3", "shard_size": 4, "name": "folder"}


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    for number in range(5):
        pixels = np.random.default_rng(number).normal(128, 40, (48, 64, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "broken.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + b"\x00" * 500)
    (folder / "empty.mp4").touch()
    return folder


def _started(root: Path, settings: Settings, media: Path) -> "subprocess.Popen[str]":
    env = airflow_environment(Settings(root=root, home=settings.state_dir))
    conf = json.dumps({**FORM, "source": str(media)})
    command = [sys.executable, "-m", "realframe.services.headless_dags", "score_media", "--conf", conf]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def _rows(job: Path) -> dict[str, Any]:
    return {row["file"]: row for row in pq.read_table(job / "scores.parquet").to_pylist()}


def test_score_media_scores_a_folder_and_continues_after_a_kill(
    root: Path, three_versions: Path, settings: Settings, store: Store, media: Path
) -> None:
    job = settings.state_dir / "scores" / "folder"
    first = _started(root, settings, media)
    while first.poll() is None and not list(job.glob("part-*.parquet")):
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    (kept,) = job.glob("part-*.parquet")
    before, scored = kept.stat().st_mtime_ns, [row for row in pq.read_table(kept).to_pylist() if row["verdict"] != "not scored"]
    assert len(store.find(Prediction)) == len(scored) < 5  # of one shard, whichever came first
    assert not (job / "scores.parquet").exists()

    printed, _ = _started(root, settings, media).communicate()
    assert "score_media: success" in printed, printed
    assert "7 files by version 3" in printed
    assert kept.stat().st_mtime_ns == before  # that shard is not scored again
    rows = _rows(job)
    assert {name: row["code"] for name, row in rows.items() if row["code"]} == {
        "broken.mp4": "media.undecodable",
        "empty.mp4": "media.empty",
    }
    assert {row["verdict"] for name, row in rows.items() if name.endswith(".png")} <= {"real", "uncertain", "ai-generated"}
    assert len(store.find(Prediction)) == 5
    assert not list(job.glob("*.todo.json"))
