"""The audit stops a run with a shortcut and passes once harmonization has removed it; serving harmonizes in the same way as training."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipelines import audit_shortcuts, balance_classes, catalog, clean_frames, extract_frames, harmonize_media
from realframe import artifacts
from realframe.config import load_params, resolve_params
from realframe.data import manifest
from realframe.errors import DatasetError, ShortcutError
from realframe.files import compute_sha256
from realframe.media.ffmpeg import ffmpeg_executable
from realframe.media.file_frames import load_file_frames
from realframe.media.shards import read_shard_frames
from realframe.settings import get_settings
from tests.data.dataset_rows import make_quality, write_picture

Resolve = Callable[[Mapping[str, object]], None]
_SQUARE = {"harmonize.crop.image": 32, "harmonize.reencode": True}


@pytest.fixture
def parameters(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolve]:
    """Make a run's folder the working folder; return what sets its parameters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REALFRAME_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "src")]))
    get_settings.cache_clear()
    artifacts.RESOLVED_PARAMS.parent.mkdir()
    yield lambda overrides: resolve_params(root / "params.yaml", root / "recipes", overrides=overrides).save(artifacts.RESOLVED_PARAMS)
    get_settings.cache_clear()


def write_scene(path: Path, seed: int) -> None:
    """Write a smooth picture; the amount of content varies more than the traces of the encoding."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (int(random.integers(2, 9)), int(random.integers(2, 9)), 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((96, 64), Image.Resampling.BICUBIC).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))


def write_set_with_shortcut(count: int = 24) -> None:
    """Write fakes as PNG and reals as JPEG, with equal content."""
    for index in range(count):
        write_scene(artifacts.RAW_MEDIA / (f"real/{index}.jpg" if index % 2 else f"fake/{index}.png"), index)


def write_clip(name: str, seconds: float, size: str = "96x64") -> None:
    (artifacts.RAW_MEDIA / name).parent.mkdir(parents=True, exist_ok=True)
    source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=12", "-t", str(seconds)]
    subprocess.run([ffmpeg_executable(), "-v", "error", *source, str(artifacts.RAW_MEDIA / name)], check=True)


def read_harmonized() -> pd.DataFrame:
    return manifest.read(artifacts.HARMONIZED, manifest.MEDIA_SCHEMA)


def run_audit() -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "pipelines.audit_shortcuts"], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_shortcut_stops_the_run_and_the_suggested_settings_remove_it(parameters: Resolve) -> None:
    write_set_with_shortcut()
    parameters({})
    catalog.main()
    harmonize_media.main()
    stopped = run_audit()
    found = json.loads(artifacts.SHORTCUTS.read_text())
    assert stopped.returncode != 0
    assert "file facts alone tell real from fake: the images with a balanced accuracy of 1.00" in stopped.stderr
    assert "codec 1.00, container 1.00" in stopped.stderr and "-S harmonize.reencode=true" in stopped.stderr
    assert "-S shortcuts.allow_shortcuts=true" in stopped.stderr
    assert (found["passed"], found["allowed"], found["limit"]) == (False, False, 0.7)
    assert found["kinds"]["image"]["low"] > 0.5

    parameters({"harmonize.reencode": True})
    harmonize_media.main()
    passed = run_audit()
    found = json.loads(artifacts.SHORTCUTS.read_text())
    assert passed.returncode == 0, passed.stderr
    assert found["passed"] and found["harmonize"]["reencode"]
    assert set(found["kinds"]["image"]["facts"]) == {"bytes", "bytes_per_pixel"}


def test_an_allowed_shortcut_lets_the_run_continue_and_is_recorded(parameters: Resolve, capsys: pytest.CaptureFixture[str]) -> None:
    write_set_with_shortcut()
    parameters({"shortcuts.allow_shortcuts": True})
    catalog.main()
    harmonize_media.main()
    audit_shortcuts.main()
    found = json.loads(artifacts.SHORTCUTS.read_text())
    assert (found["passed"], found["allowed"]) == (False, True)
    assert "recorded in every model" in capsys.readouterr().out


@pytest.mark.slow
def test_differences_of_the_pictures_themselves_have_no_suggestion(parameters: Resolve) -> None:
    for index in range(24):
        write_picture(artifacts.RAW_MEDIA / f"real/{index}.jpg", index)
        write_scene(artifacts.RAW_MEDIA / f"fake/{index}.jpg", index)
    parameters(_SQUARE)
    catalog.main()
    harmonize_media.main()
    with pytest.raises(ShortcutError, match=r"bytes 1\.00.*the remaining differences are in the pictures themselves") as refused:
        audit_shortcuts.main()
    assert "-S harmonize" not in str(refused.value)


def test_few_items_above_the_limit_may_be_chance(parameters: Resolve, capsys: pytest.CaptureFixture[str]) -> None:
    write_set_with_shortcut(8)
    parameters({})
    catalog.main()
    harmonize_media.main()
    audit_shortcuts.main()
    assert json.loads(artifacts.SHORTCUTS.read_text())["passed"]
    assert "too few" in capsys.readouterr().out


def test_without_harmonization_the_originals_are_used(parameters: Resolve) -> None:
    write_set_with_shortcut(6)
    parameters({})
    catalog.main()
    harmonize_media.main()
    assert artifacts.HARMONIZED.read_bytes() == artifacts.MEDIA.read_bytes()
    assert list(artifacts.HARMONIZED_MEDIA.iterdir()) == []


def test_every_item_is_harmonized_or_accounted_for_and_cached(parameters: Resolve, capsys: pytest.CaptureFixture[str]) -> None:
    write_set_with_shortcut(10)
    write_picture(artifacts.RAW_MEDIA / "real/tiny.png", 99, (48, 16))
    write_clip("real/long.mp4", 3)
    write_clip("fake/short.mp4", 1, "90x60")
    parameters(_SQUARE | {"harmonize.match": ["pixels"], "harmonize.seconds": 2})
    catalog.main()
    harmonize_media.main()
    assert "10 items (0 cached), quarantined 2 (media.too-small 2), 1 unmatched" in capsys.readouterr().out
    first = {path.name: compute_sha256(path) for path in artifacts.HARMONIZED_MEDIA.iterdir()}
    assert set(first) == {f"{name}.jpg" for name in read_harmonized()["media_id"]}
    harmonize_media.main()
    assert "10 items (10 cached)" in capsys.readouterr().out
    assert {path.name: compute_sha256(path) for path in artifacts.HARMONIZED_MEDIA.iterdir()} == first
    refused = pd.read_parquet(artifacts.QUARANTINE / "harmonize_media.parquet")
    assert refused[["path", "code"]].to_numpy().tolist() == [["fake/short.mp4", "media.too-small"], ["real/tiny.png", "media.too-small"]]
    assert "real/tiny.png is 48x16, and harmonization cuts out a square of 32 pixels" in refused["message"][1]

    make_quality(read_harmonized().to_dict("records")).to_parquet(artifacts.QUALITY)  # type: ignore[arg-type]
    balance_classes.main()
    reasons = manifest.read(artifacts.BALANCED, manifest.BALANCED_SCHEMA).set_index("path")["exclusion_reason"]
    assert reasons[reasons != ""].to_dict() == {"fake/short.mp4": "no-frame", "real/tiny.png": "no-frame", "real/long.mp4": "unmatched"}


def test_a_harmonization_that_leaves_no_item_is_an_error(parameters: Resolve) -> None:
    write_set_with_shortcut(6)
    parameters({"harmonize.crop.image": 4096})
    catalog.main()
    with pytest.raises(DatasetError, match="harmonization leaves no item"):
        harmonize_media.main()


def test_serving_gets_the_same_frames_as_training(parameters: Resolve) -> None:
    write_picture(artifacts.RAW_MEDIA / "real/a.png", 1)
    write_clip("fake/b.mp4", 3)
    parameters(
        _SQUARE | {"harmonize.crop.video": 48, "harmonize.fps": 6, "harmonize.seconds": 2, "clean.size": 32, "clean.duplicate_distance": -1}
    )
    for stage in (catalog, harmonize_media, extract_frames, clean_frames):
        stage.main()
    for item in read_harmonized().itertuples():
        served = load_file_frames(artifacts.RAW_MEDIA / str(item.path), load_params(artifacts.RESOLVED_PARAMS))
        trained, indices, times = read_shard_frames(artifacts.CLEAN_FRAMES / f"{item.media_id}.tar")
        assert np.array_equal(served.pictures, trained)
        assert (served.indices.tolist(), served.times_s.tolist()) == (indices.tolist(), times.tolist())
        assert item.width == {"image": 32, "video": 48}[str(item.kind)]
    assert served.facts.bytes != item.bytes  # the facts of the original
