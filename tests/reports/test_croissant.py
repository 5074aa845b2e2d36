"""The dataset description is valid Croissant, and mlcroissant reads its records."""

import json
import warnings
from pathlib import Path

import pytest

from realframe import artifacts
from realframe.reports import croissant
from tests import run_folder


@pytest.mark.filterwarnings("ignore")
def test_mlcroissant_reads_the_document(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant
    splits = run_folder.write_dataset(tmp_path, 20)
    file = tmp_path / artifacts.CROISSANT
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(croissant.describe_dataset(splits, tmp_path / artifacts.SPLITS, "0123456789ab")))
    dataset = mlcroissant.Dataset(jsonld=file)
    assert not dataset.metadata.issues.errors
    records = list(dataset.records("items"))
    assert {record["items/media_id"].decode() for record in records} == set(splits["media_id"])
    assert {record["items/split"].decode() for record in records} == {"train", "val", "test"}


def test_licenses_are_listed_and_missing_ones_are_unstated(tmp_path: Path) -> None:
    splits = run_folder.write_dataset(tmp_path, 20)
    splits.loc[splits.index[:2], "licence"] = ""
    assert croissant.list_licenses(splits) == ["CC-BY-4.0", "unstated"]
