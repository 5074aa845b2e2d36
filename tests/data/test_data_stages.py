"""The stages of the dataset, run one after another on files in a temporary folder."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from pipelines import audit_shortcuts, balance_classes, catalog, harmonize_media, split_dataset
from realframe import artifacts
from realframe.config import Params, ResolvedParams
from realframe.data import manifest
from realframe.errors import DatasetError
from realframe.files import write_text
from realframe.settings import get_settings
from tests.data.dataset_rows import make_quality, write_picture

OUTPUTS = (artifacts.MEDIA, artifacts.QUARANTINE / "catalog.parquet", artifacts.SHORTCUTS, artifacts.BALANCED, artifacts.SPLITS)


@pytest.fixture
def folder(tmp_path: Path, params: Params, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REALFRAME_HOME", str(tmp_path / "state"))
    get_settings.cache_clear()
    ResolvedParams(params=params, origins={}).save(artifacts.RESOLVED_PARAMS)
    write_text(artifacts.PREVIOUS_SPLIT, "{}")
    for index in range(24):
        write_picture(artifacts.RAW_MEDIA / ("real" if index % 2 else "fake/sora") / f"{index}.png", index)
    (artifacts.RAW_MEDIA / "real" / "text.mp4").write_text("no video")
    yield tmp_path
    get_settings.cache_clear()


def run_stages() -> None:
    catalog.main()
    harmonize_media.main()
    media = manifest.read(artifacts.MEDIA, manifest.MEDIA_SCHEMA)
    make_quality(media.to_dict("records")).to_parquet(artifacts.QUALITY)  # type: ignore[arg-type]
    audit_shortcuts.main()
    balance_classes.main()
    split_dataset.main()


def test_the_stages_give_equal_bytes_twice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_stages()
    output = capsys.readouterr().out
    assert "catalog: 25 files = 24 used (12 fake images, 12 real images), 1 quarantined, 0 duplicates; 25 newly probed" in output
    assert "audit_shortcuts: images: no fact differs between any two items" in output
    assert "balance_classes: 24 items = 12 fake, 12 real included, left out: none" in output
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    assert f"split_dataset: dataset digest {manifest.compute_dataset_digest(splits)}: train 8 real + 8 fake" in output
    assert set(splits["split"]) == {"train", "val", "test"} and len(splits) == 24
    assert json.loads(artifacts.SHORTCUTS.read_text())["kinds"]["image"]["items"] == 24
    first = [path.read_bytes() for path in OUTPUTS]
    run_stages()
    assert [path.read_bytes() for path in OUTPUTS] == first
    assert "1 newly probed" in capsys.readouterr().out  # facts of unusable files are not cached


def test_the_quarantine_is_written_even_where_no_file_can_be_used(folder: Path) -> None:
    for file in artifacts.RAW_MEDIA.rglob("*.png"):
        file.write_text("no picture")
    with pytest.raises(DatasetError, match=r"none of its 25 files can be used.*first reasons"):
        catalog.main()
    assert len(pd.read_parquet(OUTPUTS[1])) == 25
