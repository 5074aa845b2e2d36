"""The features of a run as NumPy arrays, whose rows belong together."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from realframe import artifacts
from realframe.errors import DatasetError, RunError
from realframe.runs.feature_export import write_feature_arrays
from tests import run_folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose HEAD is a run with features."""
    folder = tmp_path / "repository"
    splits = run_folder.write_dataset(folder, 20)
    (folder / artifacts.FEATURES).mkdir(parents=True)
    means = [{"media_id": name, "mean": np.full(3, place, np.float32)} for place, name in enumerate(reversed(splits["media_id"].tolist()))]
    pd.DataFrame(means).to_parquet(folder / artifacts.FEATURES / "means.parquet")
    (folder / "dvc.lock").write_text("schema: '2.0'\n")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    commands = [
        ["git", "init", "-q"],
        [sys.executable, "-m", "dvc", "init", "-q"],
        ["git", "add", "-Af"],
        ["git", *identity, "commit", "-qm", "x"],
    ]
    for command in commands:
        subprocess.run(command, cwd=folder, check=True)
    return folder


def test_features_labels_and_items_are_in_one_order(repository: Path, tmp_path: Path) -> None:
    assert write_feature_arrays(repository, "HEAD", tmp_path / "out") == (18, 3)
    features, labels = (np.load(tmp_path / "out" / name, allow_pickle=False) for name in ("features.npy", "labels.npy"))
    items = pd.read_csv(tmp_path / "out" / "items.csv")
    assert (features.dtype, labels.dtype, features.shape) == (np.float32, np.uint8, (18, 3))
    assert labels.tolist() == (items["label"] == "fake").astype(int).tolist()
    means = pd.read_parquet(repository / artifacts.FEATURES / "means.parquet").set_index("media_id")["mean"]
    assert all((means[name] == row).all() for name, row in zip(items["media_id"], features, strict=True))


def test_a_commit_without_features_and_an_unknown_one_are_refused(repository: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "rm", "-rq", "data/features"], cwd=repository, check=True)
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "y"], cwd=repository, check=True)
    with pytest.raises(DatasetError, match="that run computed no features"):
        write_feature_arrays(repository, "HEAD", tmp_path / "out")
    with pytest.raises(RunError):
        write_feature_arrays(repository, "runs/none", tmp_path / "out")
    assert not (tmp_path / "out").exists()
