"""``realframe frames``: one row per sampled frame of a dataset version, read from its commit."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from realframe.errors import DatasetError, MetadataError
from realframe.runs.dataset_versions import choose_dataset_tag, list_sampled_frames
from realframe.store.run_artifacts import RevisionSource
from tests.trained_checkout import TrainedCheckout

pytestmark = pytest.mark.timeout(900)
COLUMNS = "media_id,path,label,generator,source,group,kind,split,cluster,index,time_s,is_kept,reason,std,sharpness,phash"


def _at_v1(trained_checkout: TrainedCheckout, path: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(RevisionSource(trained_checkout.root, "dataset/v1").read(Path(path))))


def test_every_sampled_frame_has_a_row_with_its_item(trained_checkout: TrainedCheckout, tmp_path: Path) -> None:
    output = trained_checkout.run_module("realframe", "frames", str(tmp_path / "frames.csv"))
    assert "dataset/v1" in output
    assert (tmp_path / "frames.csv").read_text().splitlines()[0] == COLUMNS
    rows = pd.read_csv(tmp_path / "frames.csv", keep_default_na=False, dtype={"phash": str})
    items = _at_v1(trained_checkout, "data/splits.parquet").set_index("media_id")
    frames = _at_v1(trained_checkout, "data/quality.parquet").set_index(["media_id", "index"])
    assert set(rows["media_id"]) == set(items.index)
    assert len(rows) == sum(media_id in items.index for media_id, _ in frames.index)
    for row in rows.itertuples(index=False):
        item, frame = items.loc[row.media_id], frames.loc[(row.media_id, row.index)]
        assert [row.path, row.label, row.group, row.split] == [item.path, item.label, item.group, item.split]
        assert (row.generator, row.source) == (item.generator, item.source)
        assert (row.time_s, row.is_kept, row.phash) == (pytest.approx(frame.time_s), frame.is_kept, frame.phash)
    assert set(rows["kind"]) == {"image", "video"}
    assert rows.groupby("media_id")["index"].is_monotonic_increasing.all()


def test_a_version_may_be_named_and_an_unknown_one_is_refused(trained_checkout: TrainedCheckout, tmp_path: Path) -> None:
    trained_checkout.run_module("realframe", "frames", str(tmp_path / "named.csv"), "--dataset", "dataset/v1")
    trained_checkout.run_module("realframe", "frames", str(tmp_path / "newest.csv"))
    assert (tmp_path / "named.csv").read_bytes() == (tmp_path / "newest.csv").read_bytes()
    with pytest.raises(DatasetError, match=r"dataset/v9: there is no such dataset version. Choose one of dataset/v1"):
        choose_dataset_tag(trained_checkout.root, "dataset/v9")
    trained_checkout.run_module("realframe", "frames", str(tmp_path / "none.csv"), "--dataset", "dataset/v9", status=1)
    assert not (tmp_path / "none.csv").exists()


def test_before_the_first_version_the_error_tells_how_to_make_one(checkout: Path) -> None:
    with pytest.raises(DatasetError, match=r"no dataset version yet.*realframe run prepare_data"):
        choose_dataset_tag(checkout)


def test_missing_data_are_named(trained_checkout: TrainedCheckout, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(trained_checkout.root), str(clone)], check=True)
    shutil.copy(trained_checkout.root / ".dvc" / "config.local", clone / ".dvc" / "config.local")
    config = clone / ".dvc" / "config.local"
    config.write_text(config.read_text().replace(str(trained_checkout.root), str(tmp_path / "nowhere")))
    with pytest.raises(MetadataError, match=r"splits.parquet.*neither in the DVC cache nor on the remote. `dvc fetch`"):
        list_sampled_frames(clone, "dataset/v1")


def test_help_shows_an_example(root: Path) -> None:
    process = subprocess.run([sys.executable, "-m", "realframe", "frames", "--help"], cwd=root, capture_output=True, text=True, check=True)
    assert "realframe frames frames.csv" in process.stdout
