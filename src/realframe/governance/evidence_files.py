"""Read the evidence files that were stored with a model version: metrics, parameters, splits, predictions."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd

from realframe import artifacts
from realframe.config import read_yaml
from realframe.errors import RegistryError
from realframe.models.aggregate import aggregate_by_item
from realframe.registry import evidence_bundle
from realframe.registry.model_registry import ModelVersion

SCORE = "score"


@dataclass(frozen=True)
class EvidenceFiles:
    """The evidence of one version.

    Attributes:
        version: the model version.
        folder: the folder of its files.
    """

    version: ModelVersion
    folder: Path

    @classmethod
    def fetch(cls, version: ModelVersion) -> Self:
        """Fetch a version's evidence. Raises RegistryError if it has none or if it was changed since.

        A file that is missing raises RegistryError when it is read.
        """
        return cls(version, evidence_bundle.fetch(version))

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of ``reports/metrics.json``."""
        return dict(json.loads(self._file(artifacts.METRICS).read_text()))

    @cached_property
    def params(self) -> dict[str, Any]:
        """The parameters of its run, nested."""
        return read_yaml(self._file(artifacts.RESOLVED_PARAMS))

    @cached_property
    def splits(self) -> pd.DataFrame:
        """The rows of its ``data/splits.parquet``."""
        return pd.read_parquet(self._file(artifacts.SPLITS))

    @cached_property
    def test_items(self) -> pd.DataFrame:
        """One row per test item: ``media_id``, ``path``, ``label``, ``kind``, ``cluster``, ``score`` (of the network, not calibrated)."""
        frames = pd.read_parquet(self._file(artifacts.PREDICTIONS))
        items = aggregate_by_item(frames[frames["split"] == "test"], self.metrics["aggregate"], [SCORE])
        paths = self.splits.set_index("media_id")["path"]
        return items.assign(path=items["media_id"].map(paths))[["media_id", "path", "label", "kind", "cluster", SCORE]]

    @cached_property
    def regression(self) -> pd.DataFrame | None:
        """The rows of ``reports/regression.parquet``; None if there is no table. An unscored item has a null ``score`` and a ``reason``."""
        path = self.folder / artifacts.REGRESSION_SCORES.name
        return pd.read_parquet(path) if path.exists() else None

    @property
    def threshold(self) -> float:
        """A score at or above it is called fake."""
        return float(self.metrics["threshold"])

    def _file(self, path: Path) -> Path:
        file = self.folder / path.name
        if not file.exists():
            hint = f"Evaluate it again: `realframe evaluate {self.version.version}`."
            raise RegistryError(f"version {self.version.version}", f"its evidence has no {path.name}", hint)
        return file
