"""The dataset's stages one after the other, on files, in a folder of their own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from dataset_rows import picture, quality_of

from pipelines import audit_shortcuts, balance_classes, catalog, harmonize_media, split_dataset
from realframe import artifacts
from realframe.config import Params, Resolved
from realframe.data import manifest
from realframe.errors import DatasetError
from realframe.files import write_text
from realframe.settings import get_settings

OUTPUTS = (artifacts.MEDIA, artifacts.QUARANTINE / "catalog.parquet", artifacts.SHORTCUTS, artifacts.BALANCED, artifacts.SPLITS)


@pytest.fixture
def folder(tmp_path: Path, params: Params, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REALFRAME_HOME", str(tmp_path / "state"))
    get_settings.cache_clear()
    Resolved(params=params, origin={}).save(artifacts.RESOLVED)
    write_text(artifacts.PREVIOUS_SPLIT, "{}")
    for at in range(24):
        picture(artifacts.RAW / ("real" if at % 2 else "fake/sora") / f"{at}.png", at)
    (artifacts.RAW / "real" / "text.mp4").write_text("no video")
    yield tmp_path
    get_settings.cache_clear()


def run() -> None:
    catalog.main()
    harmonize_media.main()
    media = manifest.read(artifacts.MEDIA, manifest.MEDIA)
    quality_of(media.to_dict("records")).to_parquet(artifacts.QUALITY)  # type: ignore[arg-type]
    audit_shortcuts.main()
    balance_classes.main()
    split_dataset.main()


def test_from_files_to_splits_twice_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    said = capsys.readouterr().out
    assert "catalog: 25 files = 24 used (12 fake images, 12 real images), 1 quarantined, 0 duplicates; 25 probed anew" in said
    assert "audit_shortcuts: images: no fact differs between any two items" in said
    assert "balance_classes: 24 items = 12 fake, 12 real taken, left out: none" in said
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS)
    assert f"split_dataset: dataset {manifest.dataset_version(splits)}: train 8 real + 8 fake" in said
    assert set(splits["split"]) == {"train", "val", "test"} and len(splits) == 24
    assert json.loads(artifacts.SHORTCUTS.read_text())["kinds"]["image"]["items"] == 24
    first = [path.read_bytes() for path in OUTPUTS]
    run()
    assert [path.read_bytes() for path in OUTPUTS] == first
    assert "1 probed anew" in capsys.readouterr().out  # the facts of what can't be used are not kept


def test_where_no_file_can_be_used_the_quarantine_still_says_why(folder: Path) -> None:
    for file in artifacts.RAW.rglob("*.png"):
        file.write_text("no picture")
    with pytest.raises(DatasetError, match=r"none of its 25 files can be used.*first reasons"):
        catalog.main()
    assert len(pd.read_parquet(OUTPUTS[1])) == 25
