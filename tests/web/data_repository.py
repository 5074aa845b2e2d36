"""Create a small repository with two dataset versions whose outputs are in its DVC cache."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from ruamel.yaml import YAML

from realframe import artifacts
from realframe.data import manifest
from realframe.errors import EmptyFileError, NotMediaError
from realframe.files import write_text
from realframe.media import quarantine
from realframe.media.shards import write_shard
from realframe.runs.run_versions import tag_dataset
from realframe.settings import Settings
from tests import run_folder

ITEMS = 90
HOSTILE_NAME = '<script>alert("x")</script>.mp4'
_OUTS = (artifacts.SPLITS, artifacts.BALANCED, artifacts.CLEAN_FRAMES, artifacts.QUARANTINE / "catalog.parquet")
_AUDIT = """{"kinds": {"image": {"items": 44, "real": 22, "fake": 22, "folds": 5, "classifier": "random forest",
"balanced_accuracy": 0.8159, "low": 0.7651, "high": 0.8578, "facts": {"pixels": 0.82, "width": 0.72}},
"video": {"items": 2, "real": 1, "fake": 1, "note": "too few items"}}, "limit": 0.7, "passed": false, "allowed": true, "harmonize": {}}"""


def create(root: Path) -> pd.DataFrame:
    """Create the repository; return the items of the first version, whose first item has no shard."""
    _git(root, "init", "-q", "-b", "main")
    _dvc(root, "init", "-q")
    stage = {"cmd": "true", "outs": [str(out) for out in _OUTS], "metrics": [{str(artifacts.SHORTCUTS): {"cache": False}}]}
    YAML().dump({"stages": {"everything": stage}}, root / "dvc.yaml")
    splits = run_folder.write_dataset(root, ITEMS)
    balanced = splits[list(manifest.MEDIA_SCHEMA.names)].assign(included=True, exclusion_reason="")
    balanced.loc[0, ["included", "exclusion_reason"]] = [False, "unmatched"]
    manifest.write(balanced, root / artifacts.BALANCED, manifest.BALANCED_SCHEMA)
    for item in splits.iloc[1:].itertuples():
        _write_shard(root / artifacts.CLEAN_FRAMES / f"{item.media_id}.tar", 6 if item.kind == "video" else 1)
    rejected = [quarantine.make_row(HOSTILE_NAME, "a" * 64, NotMediaError(HOSTILE_NAME, "is no image or video"))]
    rejected += [quarantine.make_row(f"{number}.mp4", "", EmptyFileError("x", "is empty (0 bytes)")) for number in range(60)]
    quarantine.write(root / artifacts.QUARANTINE / "catalog.parquet", rejected)
    write_text(root / artifacts.SHORTCUTS, _AUDIT)
    _commit(root, splits)
    _commit(root, run_folder.make_split_table(run_folder.make_media_table(10)))
    return splits


def _commit(root: Path, splits: pd.DataFrame) -> None:
    manifest.write(splits, root / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    _dvc(root, "commit", "-q", "--force")
    _git(root, "add", "-A")
    _git(root, "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "-m", "data")
    tag_dataset(root, manifest.compute_dataset_digest(splits), Settings(root=root, home=root / ".git" / "state"))


def _write_shard(path: Path, frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [(f"{number:05}.png", _png(number)) for number in range(frames)]
    write_shard(path, {"kind": "video", "times_s": list(range(frames)), "size": 8}, images)


def _png(number: int) -> bytes:
    """Return a gray square, lighter with its number."""
    data = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 40 * number, np.uint8)).save(data, "PNG")
    return data.getvalue()


def _git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True)


def _dvc(root: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root, check=True)
