"""Score the regression set: files that an earlier detector classified wrongly, and count how many the new detector gets right."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm import tqdm

from realframe.config import Params
from realframe.data.split import LABELS
from realframe.errors import MediaError
from realframe.evaluation import scored_rows
from realframe.evaluation.scored_rows import Figures
from realframe.files import compute_sha256
from realframe.media.file_frames import load_file_frames

if TYPE_CHECKING:
    from realframe.evaluation.item_scores import ItemScorer  # imports TensorFlow

_log = logging.getLogger(__name__)


def score_regression_set(folder: Path, scorer: "ItemScorer", params: Params, splits: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``reports/regression.parquet``. A file that cannot be scored is skipped with a warning.

    Args:
        folder: contains ``real/`` and ``fake/`` with the files. If it does not exist, there are no rows.
        scorer: the detector.
        params: the parameters of its training.
        splits: the rows of ``splits.parquet``.

    Returns:
        One row per file, ordered by ``media_id``: ``media_id``, ``label``, ``kind``, ``split`` (empty if the dataset does not contain the
        file), ``score`` (not calibrated).
    """
    known = splits.set_index("media_id")["split"].to_dict()
    files = [(label, path) for label in LABELS for path in sorted((folder / label).glob("[!.]*")) if path.is_file()]
    rows = list(_iter_rows(files, scorer, params, known))
    return pd.DataFrame(rows, columns=scored_rows.REGRESSION.names).sort_values("media_id", ignore_index=True)


def _iter_rows(files: list[tuple[str, Path]], scorer: "ItemScorer", params: Params, known: dict[Any, str]) -> Iterator[dict[str, Any]]:
    for label, path in tqdm(files, "regression set", unit="item", disable=not files):
        try:
            frames = load_file_frames(path, params)
        except MediaError as error:
            _log.warning("regression set: skipped %s: %s", path.name, error)
            continue
        if scorer.scores_clips and frames.facts.kind != "video":
            _log.warning("regression set: skipped %s: it is an image, and this recipe scores videos only", path.name)
            continue
        media_id = compute_sha256(path)
        score = scorer.score(frames.pictures).score
        yield {"media_id": media_id, "label": label, "kind": frames.facts.kind, "split": known.get(media_id, ""), "score": score}


def compute_regression_figures(rows: pd.DataFrame | None, threshold: float) -> Figures | None:
    """Compute ``regression`` of ``metrics.json``; None if there are no items.

    ``items``: number of items; ``correct``: how many the detector classifies correctly. ``not_trained``: both numbers without the items of
    the training split.

    Args:
        rows: the rows of ``regression.parquet``, or None.
        threshold: the threshold of the detector.
    """
    if rows is None or rows.empty:
        return None
    is_correct = (rows["score"] >= threshold) == (rows["label"] == "fake")
    not_trained = rows["split"] != "train"
    return {**_count_correct(is_correct), "not_trained": _count_correct(is_correct[not_trained])}


def _count_correct(is_correct: "pd.Series[bool]") -> dict[str, int]:
    return {"items": len(is_correct), "correct": int(is_correct.sum())}
