"""One file, one score: by the command, by the scoring of folders, by the REST API's worker, and by the pipeline's evaluation.

The files are generated; where there is field data, some of its files are added.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from realframe import artifacts
from realframe.evaluation import verdict_fit
from realframe.media.ffmpeg import ffmpeg_executable
from realframe.models.aggregate import aggregate_by_item
from realframe.registry import model_registry
from realframe.scoring.scoring_steps import gather_scores, plan_job, score_shards
from realframe.settings import Settings
from realframe.store import accounts, api_keys
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.worker import supervisor
from tests.detection.conftest import EvaluatedRun

pytestmark = pytest.mark.timeout(300)
CLIPS = {
    "h264.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    "mpeg4.avi": ["-c:v", "mpeg4", "-q:v", "9"],
    "vp9.webm": ["-c:v", "libvpx-vp9", "-b:v", "200k"],
    "animated.gif": [],
}
FIELD = 2  # files of each folder: images and videos, real and fake
ITEMS = 4


def _make(folder: Path) -> None:
    """Make clips of several codecs, and pictures: one stored on its side, one with an alpha channel."""
    for name, codec in CLIPS.items():
        source = ["-f", "lavfi", "-i", "mandelbrot=size=120x90:rate=10", "-t", "2", *codec]
        subprocess.run([ffmpeg_executable(), "-v", "error", *source, str(folder / name)], check=True)
    pixels = np.random.default_rng(0).normal(128, 40, (90, 120, 3)).clip(0, 255).astype(np.uint8)
    sideways = Image.Exif()
    sideways[0x0112] = 6
    Image.fromarray(pixels).save(folder / "sideways.jpg", exif=sideways)
    Image.fromarray(pixels).convert("RGBA").save(folder / "alpha.png")
    (folder / "broken.mp4").write_bytes((folder / "h264.mp4").read_bytes()[:3000])


def _field(request: pytest.FixtureRequest, folder: Path) -> bool:
    try:
        data = Path(request.getfixturevalue("field_data"))
    except pytest.skip.Exception:
        return False
    for part in ("images/real", "images/fake", "videos/real", "videos/fake"):
        smallest = sorted((file for file in (data / part).rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
        for file in smallest[:FIELD]:
            shutil.copyfile(file, folder / f"{part.replace('/', '-')}-{file.name}")
    return True


def _by_pipeline(run: EvaluatedRun, folder: Path) -> dict[str, tuple[float, float]]:
    """Copy some validation items there; return the score and the probability that the evaluation left of each."""
    frames = pd.read_parquet(run.folder / artifacts.PREDICTIONS)
    items = aggregate_by_item(frames[frames["split"] == "val"], run.metrics["aggregate"])
    probabilities = verdict_fit.calibrate_by_kind(items, items["score"].to_numpy(), run.metrics["verdict"])
    expected = dict(zip(items["media_id"], zip(items["score"], probabilities, strict=True), strict=True))
    names = {}
    for item in run.splits[run.splits["split"] == "val"].head(ITEMS).itertuples():
        name = f"val-{item.label}-{Path(str(item.path)).name}"
        shutil.copyfile(run.media_path(item), folder / name)
        names[name] = expected[item.media_id]
    return names


def _by_command(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "realframe", "detect", "--json", "--no-store", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr  # one is broken
    return {Path(detection["file"]).name: (detection["score"], detection["probability"]) for detection in json.loads(done.stdout)}


def _by_folder(folder: Path, settings: Settings) -> dict[str, Any]:
    shutil.rmtree(settings.cache_dir / "results")  # of the command, which the job would return
    plan = plan_job(str(folder), settings, shard_size=7)
    score_shards(plan.job, plan.shards, settings)
    return {row["file"]: row["score"] for row in pq.read_table(gather_scores(plan.job).table).to_pylist()}


def _by_api(folder: Path, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(accounts, "_N", 2)
    accounts.add_account(store, "ann", "analyst", "correct horse battery")
    key = {"Authorization": f"Bearer {api_keys.add_key(store, 'program', 'analyst', 'ann')}"}
    answers = {}
    with supervisor.run_workers(settings, 1), TestClient(create_app(settings), base_url="http://127.0.0.1:8000", headers=key) as service:
        for file in sorted(folder.iterdir()):
            response = service.post("/api/v1/detections", params={"wait": 60}, files={"file": (file.name, file.read_bytes())})
            assert response.status_code == 200, response.text
            result = response.json()["result"]
            answers[response.json()["file"]] = (result["score"], result["probability"])
    return answers


def test_all_entry_points_give_one_score_and_probability(
    request: pytest.FixtureRequest,
    evaluated_run: EvaluatedRun,
    empty_registry: Path,
    settings: Settings,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model_registry.set_alias(model_registry.CHAMPION, model_registry.register_folder(evaluated_run.folder, commit="c" * 40))
    folder = tmp_path / "files"
    folder.mkdir()
    _make(folder)
    field, by_pipeline = _field(request, folder), _by_pipeline(evaluated_run, folder)
    command, api = _by_command(folder), _by_api(folder, settings, store, monkeypatch)
    table = pd.DataFrame(
        {
            "command": {name: score for name, (score, _) in command.items()},
            "folder": _by_folder(folder, settings),
            "api": {name: score for name, (score, _) in api.items()},
        },
        dtype=float,
    )
    assert len(table) == len(list(folder.iterdir())) == len(CLIPS) + 3 + len(by_pipeline) + 4 * FIELD * field
    assert list(table.index[table.isna().any(axis=1)]) == ["broken.mp4"]
    assert table.loc["broken.mp4"].isna().all()
    scored = table.drop(index="broken.mp4")
    assert scored["command"].std() > 1e-3  # or any two would agree
    for entry_point in ("folder", "api"):
        np.testing.assert_allclose(scored[entry_point], scored["command"], atol=1e-5, rtol=0)
    items = scored.loc[list(by_pipeline)]
    scores = [score for score, _ in by_pipeline.values()]
    np.testing.assert_allclose(items.to_numpy(), np.tile(scores, (3, 1)).T, atol=1e-5, rtol=0)
    for name, (_, probability) in by_pipeline.items():
        assert command[name][1] == pytest.approx(probability, abs=1e-5)
        assert api[name][1] == pytest.approx(probability, abs=1e-5)
