"""From a run's artefacts to the documents that index it."""

import hashlib
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from ruamel.yaml import YAML

from bonafide import artefacts
from bonafide.dataset.manifest import dataset_version
from bonafide.metadata.schema import Count, Dataset, Evaluation, Figure, Media, TrainingRun
from bonafide.metadata.sources import Source

_FACTS = tuple(name for name in Media.model_fields if name not in Media.GROWS)


@dataclass(frozen=True)
class Documents:
    """What one run's artefacts say; a part that the run did not make is empty.

    Attributes:
        media: the facts of each media item.
        dataset: its dataset version.
        splits: the ids of the dataset's items, by split.
        training: how its model was trained.
        evaluation: the model's figures.
    """

    media: list[Media]
    dataset: Dataset | None
    splits: dict[str, list[str]]
    training: TrainingRun | None
    evaluation: Evaluation | None


def read(source: Source) -> Documents:
    """Read a run's artefacts. Raises MetadataError."""
    media, splits = _rows(source, artefacts.MEDIA), _rows(source, artefacts.SPLITS)
    items = {row["media_id"]: row for row in (*splits, *media)}  # a folder in which DVC skipped the catalogue has the splits only
    training = _training(source)
    return Documents(
        media=[Media.model_validate({name: row[name] for name in _FACTS if name in row}) for row in items.values()],
        dataset=_dataset(splits) if splits else None,
        splits={split: [row["media_id"] for row in splits if row["split"] == split] for split in sorted({row["split"] for row in splits})},
        training=training,
        evaluation=_evaluation(source, training) if training else None,
    )


def figures_of(levels: dict[str, Any]) -> tuple[Figure, ...]:
    """Return the figures of one split of ``reports/metrics.json``: those entries that have a value and an interval."""
    return tuple(
        Figure(level=level, name=name, value=entry["value"], low=entry.get("low"), high=entry.get("high"))  # type: ignore[arg-type]
        for level in ("item", "frame")
        for name, entry in levels.get(level, {}).items()
        if isinstance(entry, dict) and "value" in entry
    )


def _rows(source: Source, path: Path) -> list[dict[str, Any]]:
    data = source.read(path)
    return pq.read_table(io.BytesIO(data)).to_pylist() if data else []


def _json(source: Source, path: Path) -> dict[str, Any] | None:
    data = source.read(path)
    return json.loads(data) if data else None


def _dataset(splits: list[dict[str, Any]]) -> Dataset:
    import pandas as pd

    counts = Counter((row["split"], row["label"], row["kind"]) for row in splits)
    return Dataset(
        version=dataset_version(pd.DataFrame(splits)),
        items=len(splits),
        counts=tuple(Count(split=split, label=label, kind=kind, items=counts[split, label, kind]) for split, label, kind in sorted(counts)),
    )


def _training(source: Source) -> TrainingRun | None:
    training = _json(source, artefacts.TRAINING)
    if training is None:
        return None
    params = source.read(artefacts.RESOLVED)
    return TrainingRun(
        run_id=training["run_id"],
        recipe=training["recipe"],
        backbone=training["backbone"],
        weights=training["weights"]["name"],
        dataset=training["dataset"],
        params=YAML(typ="safe").load(params) if params else {},
        best=training["best"],
        seconds=training["seconds"],
    )


def _evaluation(source: Source, training: TrainingRun) -> Evaluation | None:
    metrics = _json(source, artefacts.METRICS)
    if metrics is None:
        return None
    facts: dict[str, Any] = {
        "run_id": training.run_id,
        "dataset": training.dataset,
        "threshold": metrics["threshold"],
        "figures": figures_of(metrics["test"]),
        "floor": figures_of(metrics["floor"]["test"]),
    }
    text = json.dumps(facts, sort_keys=True, default=lambda figure: figure.model_dump())
    return Evaluation(evaluation_id=hashlib.sha256(text.encode()).hexdigest(), **facts)
