"""The card of the data is Croissant that its own library reads, records included."""

import json
import warnings
from pathlib import Path

import pytest

from realframe import artifacts
from realframe.reports import croissant
from tests import run_folder


@pytest.mark.filterwarnings("ignore")
def test_the_library_of_the_format_reads_it(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant
    splits = run_folder.write_data(tmp_path, 20)
    file = tmp_path / artifacts.CROISSANT
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(croissant.describe(splits, tmp_path / artifacts.SPLITS, "0123456789ab")))
    dataset = mlcroissant.Dataset(jsonld=file)
    assert not dataset.metadata.issues.errors
    records = list(dataset.records("items"))
    assert {record["items/media_id"].decode() for record in records} == set(splits["media_id"])
    assert {record["items/split"].decode() for record in records} == {"train", "val", "test"}


def test_it_names_the_licences_and_says_where_there_is_none(tmp_path: Path) -> None:
    splits = run_folder.write_data(tmp_path, 20)
    splits.loc[splits.index[:2], "licence"] = ""
    assert croissant.licences(splits) == ["CC-BY-4.0", "unstated"]
