"""The regression set: files on which detectors were once wrong, scored by each new one.

The regression set: of the items that detectors once got wrong, how many does this one get right?
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from realframe.config import Params
from realframe.data.split import LABELS
from realframe.errors import MediaError
from realframe.evaluation import score_tables
from realframe.evaluation.item_scores import Scorer
from realframe.evaluation.score_tables import Figures
from realframe.files import sha256_of
from realframe.media.file_frames import frames_of

_log = logging.getLogger(__name__)


def score_folder(folder: Path, scorer: Scorer, params: Params, splits: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``reports/regression.parquet``; what can't be scored is left out with a warning.

    Args:
        folder: holds ``real/`` and ``fake/`` with the files; where it is missing there are no rows.
        scorer: the detector.
        params: the parameters with which it was trained.
        splits: the rows of ``splits.parquet``.

    Returns:
        One row per file, ordered by ``media_id``: ``media_id``, ``label``, ``kind``, ``split`` (where the dataset holds it; else empty),
        ``score`` (as the network gives it).
    """
    known = splits.set_index("media_id")["split"].to_dict()
    files = [(label, path) for label in LABELS for path in sorted((folder / label).glob("[!.]*")) if path.is_file()]
    rows = list(_scored(files, scorer, params, known))
    return pd.DataFrame(rows, columns=score_tables.REGRESSION.names).sort_values("media_id", ignore_index=True)


def _scored(files: list[tuple[str, Path]], scorer: Scorer, params: Params, known: dict[Any, str]) -> Iterator[dict[str, Any]]:
    for label, path in tqdm(files, "regression set", unit="item", disable=not files):
        try:
            frames = frames_of(path, params)
        except MediaError as error:
            _log.warning("%s of the regression set is left out: %s", path.name, error)
            continue
        if scorer.sequential and frames.facts.kind != "video":
            _log.warning("%s of the regression set is left out: it is an image, and this recipe scores videos only", path.name)
            continue
        media_id = sha256_of(path)
        score = scorer.score(frames.pictures).score
        yield {"media_id": media_id, "label": label, "kind": frames.facts.kind, "split": known.get(media_id, ""), "score": score}


def measure(rows: pd.DataFrame | None, at: float) -> Figures | None:
    """Return ``regression`` as in ``metrics.json``; None without items.

    ``items`` and how many of them are called ``right``, and both again of those that were ``not_trained`` on.

    Args:
        rows: of ``regression.parquet``, or None.
        at: the model's threshold.
    """
    if rows is None or rows.empty:
        return None
    right = (rows["score"] >= at) == (rows["label"] == "fake")
    fresh = rows["split"] != "train"
    return {**_counts(right), "not_trained": _counts(right[fresh])}


def _counts(right: "pd.Series[bool]") -> dict[str, int]:
    return {"items": len(right), "right": int(right.sum())}
