"""Describe the dataset in Croissant JSON-LD, which dataset catalogs and loaders read.

Akhtar et al., "Croissant: a metadata format for ML-ready datasets", DEEM 2024; version 1.0 of the format, checked with ``mlcroissant``.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from realframe import artifacts
from realframe.data.manifest import SPLITS_SCHEMA
from realframe.files import compute_sha256

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
_DESCRIPTIONS = {
    "media_id": "SHA-256 of the file's bytes",
    "path": "path of the original, relative to data/raw",
    "kind": "image or video",
    "label": "real or fake",
    "generator": "generator of the item; empty if unknown or real",
    "source": "origin of the item, such as a camera or a website",
    "group": "items that must be in the same split, as labeled",
    "split": "train, val or test",
    "cluster": "items that must be in the same split: groups merged with near-duplicates",
    "repeat": "number of times the item is used per training epoch",
    "weight": "class weight in training",
}


def describe_dataset(splits: pd.DataFrame, table: Path, version: str) -> dict[str, Any]:
    """Return the JSON-LD document of a dataset version.

    Args:
        splits: the rows of ``data/splits.parquet``.
        table: path of that file. The document refers to it relative to the folder of the reports.
        version: digest of the dataset version.
    """
    counts = splits.groupby(["label", "kind"]).size().reset_index(name="number")
    contents = ", ".join(f"{row.number} {row.label} {row.kind}s" for row in counts.itertuples(index=False))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"realframe-{version}",
        "version": "1.0.0",
        "description": f"Real and AI-generated media, dataset version {version}: {contents}. DVC tracks the files by media_id.",
        "license": list_licenses(splits),
        "citeAs": f"realframe dataset version {version}",
        "distribution": [_describe_file(table)],
        "recordSet": [_describe_records()],
    }


def list_licenses(splits: pd.DataFrame) -> list[str]:
    """Return the licenses of the items, the most frequent first; ``unstated`` for items without one."""
    return [str(name) for name in splits["licence"].replace("", "unstated").value_counts().index]


def _describe_file(table: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": _TABLE,
        "name": _TABLE,
        "contentUrl": f"../{artifacts.SPLITS.as_posix()}",
        "contentSize": f"{table.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": compute_sha256(table),
    }


def _describe_records() -> dict[str, Any]:
    fields = [_describe_field(column) for column in SPLITS_SCHEMA]
    return {"@type": "cr:RecordSet", "@id": _RECORDS, "name": _RECORDS, "key": {"@id": f"{_RECORDS}/media_id"}, "field": fields}


def _describe_field(column: pa.Field) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{_RECORDS}/{column.name}",
        "name": column.name,
        "description": _DESCRIPTIONS.get(column.name, column.name.replace("_", " ")),
        "dataType": _data_type(column.type),
        "source": {"fileObject": {"@id": _TABLE}, "extract": {"column": column.name}},
    }


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
