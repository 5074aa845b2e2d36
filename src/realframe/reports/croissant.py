"""The card of the data in Croissant's JSON-LD, which dataset catalogs and loaders read.

Akhtar et al., "Croissant: a metadata format for ML-ready datasets", DEEM 2024; version 1.0 of the format, held by ``mlcroissant``'s checks.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from realframe import artifacts
from realframe.data.manifest import SPLITS
from realframe.files import sha256_of

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TABLE, _RECORDS = "splits.parquet", "items"
_ABOUT = {
    "media_id": "SHA-256 of the file's bytes",
    "path": "of the original, relative to the folder of originals",
    "kind": "image or video",
    "label": "real or fake",
    "generator": "what made it; empty where unknown or real",
    "source": "where it was taken from",
    "group": "items that must not stand in two splits, as given",
    "split": "train, val or test",
    "cluster": "items that must not stand in two splits: groups and near-duplicates together",
    "repeat": "times that it is shown in training",
    "weight": "its class weight in training",
}


def describe(splits: pd.DataFrame, table: Path, version: str) -> dict[str, Any]:
    """Return the JSON-LD document of a dataset version.

    Args:
        splits: the rows of ``data/splits.parquet``.
        table: that file; the document names it relative to the folder of the reports.
        version: of the dataset, its digest.
    """
    counts = splits.groupby(["label", "kind"]).size().reset_index(name="number")
    held = ", ".join(f"{row.number} {row.label} {row.kind}s" for row in counts.itertuples(index=False))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"realframe-{version}",
        "version": "1.0.0",
        "description": f"Real and AI-generated media, dataset version {version}: {held}. The media themselves are under DVC, by media_id.",
        "license": licences(splits),
        "citeAs": f"realframe dataset version {version}",
        "distribution": [_file(table)],
        "recordSet": [_records()],
    }


def licences(splits: pd.DataFrame) -> list[str]:
    """Return the licences that the items state, the most frequent first; ``unstated`` for those that state none."""
    return [str(name) for name in splits["licence"].replace("", "unstated").value_counts().index]


def _file(table: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": _TABLE,
        "name": _TABLE,
        "contentUrl": f"../{artifacts.SPLITS.as_posix()}",
        "contentSize": f"{table.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": sha256_of(table),
    }


def _records() -> dict[str, Any]:
    fields = [_field(column) for column in SPLITS]
    return {"@type": "cr:RecordSet", "@id": _RECORDS, "name": _RECORDS, "key": {"@id": f"{_RECORDS}/media_id"}, "field": fields}


def _field(column: pa.Field) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{_RECORDS}/{column.name}",
        "name": column.name,
        "description": _ABOUT.get(column.name, column.name.replace("_", " ")),
        "dataType": _type(column.type),
        "source": {"fileObject": {"@id": _TABLE}, "extract": {"column": column.name}},
    }


def _type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
