"""The dataset's stages one after the other, on files, in a folder of their own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from dataset_rows import picture, quality_of

from bonafide import artefacts
from bonafide.dataset import manifest
from bonafide.errors import DatasetError
from bonafide.files import write_text
from bonafide.params import Params, Resolved
from bonafide.settings import get_settings
from pipelines import audit_shortcuts, balance_classes, catalog, cure_media, split_dataset

OUTPUTS = (artefacts.MEDIA, artefacts.QUARANTINE / "catalog.parquet", artefacts.SHORTCUTS, artefacts.BALANCED, artefacts.SPLITS)


@pytest.fixture
def folder(tmp_path: Path, params: Params, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BONAFIDE_HOME", str(tmp_path / "state"))
    get_settings.cache_clear()
    Resolved(params=params, origin={}).save(artefacts.RESOLVED)
    write_text(artefacts.DEALT, "{}")
    for at in range(24):
        picture(artefacts.RAW / ("real" if at % 2 else "fake/sora") / f"{at}.png", at)
    (artefacts.RAW / "real" / "text.mp4").write_text("no video")
    yield tmp_path
    get_settings.cache_clear()


def run() -> None:
    catalog.main()
    cure_media.main()
    media = manifest.read(artefacts.MEDIA, manifest.MEDIA)
    quality_of(media.to_dict("records")).to_parquet(artefacts.QUALITY)  # type: ignore[arg-type]
    audit_shortcuts.main()
    balance_classes.main()
    split_dataset.main()


def test_from_files_to_splits_twice_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    said = capsys.readouterr().out
    assert "catalog: 25 files = 24 used (12 fake images, 12 real images), 1 quarantined, 0 duplicates; 25 probed anew" in said
    assert "audit_shortcuts: images: no fact differs between any two items" in said
    assert "balance_classes: 24 items = 12 fake, 12 real taken, left out: none" in said
    splits = manifest.read(artefacts.SPLITS, manifest.SPLITS)
    assert f"split_dataset: dataset {manifest.dataset_version(splits)}: train 8 real + 8 fake" in said
    assert set(splits["split"]) == {"train", "val", "test"} and len(splits) == 24
    assert json.loads(artefacts.SHORTCUTS.read_text())["kinds"]["image"]["items"] == 24
    first = [path.read_bytes() for path in OUTPUTS]
    run()
    assert [path.read_bytes() for path in OUTPUTS] == first
    assert "1 probed anew" in capsys.readouterr().out  # the facts of what can't be used are not kept


def test_where_no_file_can_be_used_the_quarantine_still_says_why(folder: Path) -> None:
    for file in artefacts.RAW.rglob("*.png"):
        file.write_text("no picture")
    with pytest.raises(DatasetError, match=r"none of its 25 files can be used.*first reasons"):
        catalog.main()
    assert len(pd.read_parquet(OUTPUTS[1])) == 25
