"""The audit stops a run whose file facts give the labels away, and lets it pass once harmonization has taken them; serving harmonization settings alike."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dataset_rows import picture, quality_of
from PIL import Image

from pipelines import audit_shortcuts, balance_classes, catalog, clean_frames, extract_frames, harmonize_media
from realframe import artifacts
from realframe.config import load, resolve
from realframe.data import manifest
from realframe.errors import DatasetError, ShortcutError
from realframe.files import sha256_of
from realframe.media.ffmpeg import executable
from realframe.media.file_frames import frames_of
from realframe.media.shards import read_frames
from realframe.settings import get_settings

Resolve = Callable[[Mapping[str, object]], None]
_SQUARE = {"harmonize.crop.image": 32, "harmonize.reencode": True}


@pytest.fixture
def parameters(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolve]:
    """A run's folder as the working folder, and how its parameters are set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REALFRAME_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "src")]))
    get_settings.cache_clear()
    artifacts.RESOLVED.parent.mkdir()
    yield lambda overrides: resolve(root / "params.yaml", root / "recipes", overrides=overrides).save(artifacts.RESOLVED)
    get_settings.cache_clear()


def scene(path: Path, seed: int) -> None:
    """A smooth picture, some with more in it than others; what the encoding leaves in it is little beside that."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (int(random.integers(2, 9)), int(random.integers(2, 9)), 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((96, 64), Image.Resampling.BICUBIC).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))


def plant(count: int = 24) -> None:
    """All fakes PNG, all reals JPEG, and the pictures in them alike."""
    for at in range(count):
        scene(artifacts.RAW / (f"real/{at}.jpg" if at % 2 else f"fake/{at}.png"), at)


def clip(name: str, seconds: float, size: str = "96x64") -> None:
    (artifacts.RAW / name).parent.mkdir(parents=True, exist_ok=True)
    source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=12", "-t", str(seconds)]
    subprocess.run([executable(), "-v", "error", *source, str(artifacts.RAW / name)], check=True)


def harmonized() -> pd.DataFrame:
    return manifest.read(artifacts.HARMONIZED, manifest.MEDIA)


def audit() -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "pipelines.audit_shortcuts"], capture_output=True, text=True, check=False)


def test_a_planted_leak_stops_the_run_and_the_offered_cure_takes_it_away(parameters: Resolve) -> None:
    plant()
    parameters({})
    catalog.main()
    harmonize_media.main()
    stopped = audit()
    found = json.loads(artifacts.SHORTCUTS.read_text())
    assert stopped.returncode != 0
    assert "file facts alone tell real from fake: the images with a balanced accuracy of 1.00" in stopped.stderr
    assert "codec 1.00, container 1.00" in stopped.stderr and "-S harmonize.reencode=true" in stopped.stderr
    assert "-S shortcuts.allow_shortcuts=true" in stopped.stderr
    assert (found["passed"], found["allowed"], found["limit"]) == (False, False, 0.7)
    assert found["kinds"]["image"]["low"] > 0.5

    parameters({"harmonize.reencode": True})
    harmonize_media.main()
    passed = audit()
    found = json.loads(artifacts.SHORTCUTS.read_text())
    assert passed.returncode == 0, passed.stderr
    assert found["passed"] and found["harmonize"]["reencode"]
    assert set(found["kinds"]["image"]["facts"]) == {"bytes", "bytes_per_pixel"}


def test_a_leak_that_is_allowed_goes_on_and_stays_written_down(parameters: Resolve, capsys: pytest.CaptureFixture[str]) -> None:
    plant()
    parameters({"shortcuts.allow_shortcuts": True})
    catalog.main()
    harmonize_media.main()
    audit_shortcuts.main()
    found = json.loads(artifacts.SHORTCUTS.read_text())
    assert (found["passed"], found["allowed"]) == (False, True)
    assert "the mark stays on every model" in capsys.readouterr().out


def test_what_is_left_is_said_to_lie_in_the_pictures(parameters: Resolve) -> None:
    for at in range(24):
        picture(artifacts.RAW / f"real/{at}.jpg", at)
        scene(artifacts.RAW / f"fake/{at}.jpg", at)
    parameters(_SQUARE)
    catalog.main()
    harmonize_media.main()
    with pytest.raises(ShortcutError, match=r"bytes 1\.00.*what is left lies in the pictures themselves") as refused:
        audit_shortcuts.main()
    assert "-S harmonization" not in str(refused.value)


def test_few_items_above_the_limit_are_said_to_be_so_by_luck(parameters: Resolve, capsys: pytest.CaptureFixture[str]) -> None:
    plant(8)
    parameters({})
    catalog.main()
    harmonize_media.main()
    audit_shortcuts.main()
    assert json.loads(artifacts.SHORTCUTS.read_text())["passed"]
    assert "too few" in capsys.readouterr().out


def test_without_a_cure_the_originals_go_on(parameters: Resolve) -> None:
    plant(6)
    parameters({})
    catalog.main()
    harmonize_media.main()
    assert artifacts.HARMONIZED.read_bytes() == artifacts.MEDIA.read_bytes()
    assert list(artifacts.HARMONIZED_MEDIA.iterdir()) == []


def test_every_item_is_cured_or_accounted_for_and_cached(parameters: Resolve, capsys: pytest.CaptureFixture[str]) -> None:
    plant(10)
    picture(artifacts.RAW / "real/tiny.png", 99, (48, 16))
    clip("real/long.mp4", 3)
    clip("fake/short.mp4", 1, "90x60")
    parameters(_SQUARE | {"harmonize.match": ["pixels"], "harmonize.seconds": 2})
    catalog.main()
    harmonize_media.main()
    assert "10 taken (0 cached), quarantined 2 (media.too-small 2), 1 unmatched" in capsys.readouterr().out
    first = {path.name: sha256_of(path) for path in artifacts.HARMONIZED_MEDIA.iterdir()}
    assert set(first) == {f"{name}.jpg" for name in harmonized()["media_id"]}
    harmonize_media.main()
    assert "10 taken (10 cached)" in capsys.readouterr().out
    assert {path.name: sha256_of(path) for path in artifacts.HARMONIZED_MEDIA.iterdir()} == first
    refused = pd.read_parquet(artifacts.QUARANTINE / "harmonize_media.parquet")
    assert refused[["path", "code"]].to_numpy().tolist() == [["fake/short.mp4", "media.too-small"], ["real/tiny.png", "media.too-small"]]
    assert "real/tiny.png is 48x16, and harmonization keeps a square of 32 pixels" in refused["message"][1]

    quality_of(harmonized().to_dict("records")).to_parquet(artifacts.QUALITY)  # type: ignore[arg-type]
    balance_classes.main()
    why = manifest.read(artifacts.BALANCED, manifest.BALANCED).set_index("path")["why"]
    assert why[why != ""].to_dict() == {"fake/short.mp4": "no-frame", "real/tiny.png": "no-frame", "real/long.mp4": "unmatched"}


def test_a_cure_that_leaves_nothing_says_so(parameters: Resolve) -> None:
    plant(6)
    parameters({"harmonize.crop.image": 4096})
    catalog.main()
    with pytest.raises(DatasetError, match="harmonization leaves no item"):
        harmonize_media.main()


def test_serving_sees_what_training_saw(parameters: Resolve) -> None:
    picture(artifacts.RAW / "real/a.png", 1)
    clip("fake/b.mp4", 3)
    parameters(
        _SQUARE | {"harmonize.crop.video": 48, "harmonize.fps": 6, "harmonize.seconds": 2, "clean.size": 32, "clean.duplicate_distance": -1}
    )
    for stage in (catalog, harmonize_media, extract_frames, clean_frames):
        stage.main()
    for item in harmonized().itertuples():
        served = frames_of(artifacts.RAW / str(item.path), load(artifacts.RESOLVED))
        trained, indices, times = read_frames(artifacts.CLEAN / f"{item.media_id}.tar")
        assert np.array_equal(served.pictures, trained)
        assert (served.indices.tolist(), served.times_s.tolist()) == (indices.tolist(), times.tolist())
        assert item.width == {"image": 32, "video": 48}[str(item.kind)]
    assert served.facts.bytes != item.bytes  # the facts of what was given
