"""Export the mean features of the items of a training run as NumPy arrays."""

from pathlib import Path

import numpy as np

from realframe import artifacts
from realframe.errors import DatasetError
from realframe.files import atomic_path
from realframe.models.frame_features import MEANS_FILE
from realframe.runs.git_dvc import git
from realframe.store.run_artifacts import RevisionSource

_COLUMNS = ["media_id", "split", "label", "kind", "generator", "source", "path"]


def write_feature_arrays(root: Path, run: str, folder: Path) -> tuple[int, int]:
    """Write ``features.npy``, ``labels.npy`` and ``items.csv``, with the rows in the order of ``media_id``; return items and width.

    Args:
        root: the repository.
        run: branch or commit of a training run.
        folder: the folder of the three files.

    Raises:
        RunError: there is no such branch or commit.
        DatasetError: the run computed no features.
        MetadataError: they are neither in the DVC cache nor on the remote.
    """
    revision = RevisionSource(root, git(root, "rev-parse", "--verify", "--end-of-options", f"{run}^{{commit}}"))
    means, items = revision.read_table(artifacts.FEATURES / MEANS_FILE), revision.read_table(artifacts.SPLITS, _COLUMNS)
    if means is None or items is None:
        hint = "Name the branch of a training run: `git branch --list 'runs/*'`."
        raise DatasetError(f"{artifacts.FEATURES} of {run}", "does not exist: that run computed no features", hint)
    rows = items.merge(means, on="media_id", validate="one_to_one").sort_values("media_id", ignore_index=True)
    features = np.stack(rows["mean"].to_list()).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in {"features.npy": features, "labels.npy": (rows["label"] == "fake").to_numpy(np.uint8)}.items():
        with atomic_path(folder / name) as temporary, temporary.open("wb") as file:
            np.save(file, values, allow_pickle=False)
    with atomic_path(folder / "items.csv") as temporary:
        rows[_COLUMNS].to_csv(temporary, index=False)
    return features.shape[0], features.shape[1]
