"""Score the regression set: files that an earlier detector classified wrongly, and count how many the new detector gets right.

No item is left out in silence: one without a score has a row with the reason, which the figures, the report and the gate state.
"""

import json
import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm import tqdm

from realframe.config import Params
from realframe.errors import MediaError
from realframe.evaluation import scored_rows
from realframe.evaluation.scored_rows import Figures
from realframe.files import compute_sha256, write_text
from realframe.media.file_frames import load_file_frames
from realframe.statistics.source_weights import LABELS

if TYPE_CHECKING:
    from realframe.evaluation.item_scores import ItemScorer  # imports TensorFlow

_MISSING_FILE = "missing.json"
_DIGEST = re.compile("[0-9a-f]{64}")
_Row = dict[str, Any]
_log = logging.getLogger(__name__)


def score_regression_set(folder: Path, scorer: "ItemScorer", params: Params, splits: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``reports/regression.parquet``: each item of the set has a row, with its score or with why it has none.

    Args:
        folder: contains ``real/`` and ``fake/`` with the files, whatever their names, and ``missing.json`` where items of the set have no
            file on the machine of the run. If it does not exist, there are no rows.
        scorer: the detector.
        params: the parameters of its training.
        splits: the rows of ``splits.parquet``.

    Returns:
        One row per item, ordered by ``media_id``: ``media_id``, ``label``, ``kind`` (empty if unknown), ``split`` (empty if the dataset
        does not contain the file), ``score`` (not calibrated; NaN if it has none), ``reason`` (why it has none).
    """
    known = splits.set_index("media_id")["split"].to_dict()
    files = [(label, path) for label in LABELS for path in _list_files(folder / label)]
    rows = [_score_file(label, path, scorer, params) for label, path in tqdm(files, "regression set", unit="item", disable=not files)]
    rows += [_unscored_row(item["media_id"], item["label"], item["reason"]) for item in _read_missing(folder)]
    for row in rows:
        row["split"] = known.get(row["media_id"], "")
        if row["reason"]:
            _log.warning("regression set: %s is not scored: %s", row["media_id"][:12], row["reason"])
    return pd.DataFrame(rows, columns=scored_rows.REGRESSION.names).sort_values(["media_id", "label"], ignore_index=True)


def write_missing(folder: Path, items: Sequence[tuple[str, str, str]]) -> None:
    """Name in ``folder`` the items of the set that have no file here, each by media id, label and reason; no file if there are none."""
    file = folder / _MISSING_FILE
    file.unlink(missing_ok=True)
    if items:
        rows = [{"media_id": media_id, "label": label, "reason": reason} for media_id, label, reason in sorted(items)]
        write_text(file, json.dumps(rows, indent=2) + "\n")


def _list_files(folder: Path) -> list[Path]:
    visible = (path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return sorted(path for path in visible if path.is_file() or path.is_symlink())


def _read_missing(folder: Path) -> list[dict[str, str]]:
    file = folder / _MISSING_FILE
    return list(json.loads(file.read_text())) if file.exists() else []


def _score_file(label: str, path: Path, scorer: "ItemScorer", params: Params) -> _Row:
    """Return the row of a file, without its split."""
    named = path.stem if _DIGEST.fullmatch(path.stem) else ""
    try:
        media_id = compute_sha256(path)
    except OSError as error:
        return _unscored_row(named or path.name, label, f"{path.name} cannot be read: {error.strerror}")
    if named and named != media_id:
        return _unscored_row(named, label, f"its file {path.name} has been changed: its content has the digest {media_id[:12]}")
    try:
        frames = load_file_frames(path, params)
    except MediaError as error:
        return _unscored_row(media_id, label, f"{path.name} {error.reason}")
    if scorer.scores_clips and frames.facts.kind != "video":
        return _unscored_row(media_id, label, "it is an image, and this recipe scores videos only", frames.facts.kind)
    score = scorer.score(frames.pictures).score
    return {"media_id": media_id, "label": label, "kind": frames.facts.kind, "score": score, "reason": ""}


def _unscored_row(media_id: str, label: str, reason: str, kind: str = "") -> _Row:
    return {"media_id": media_id, "label": label, "kind": kind, "score": math.nan, "reason": reason}


def compute_regression_figures(rows: pd.DataFrame | None, threshold: float) -> Figures | None:
    """Compute ``regression`` of ``metrics.json``; None if there are no items.

    ``items``: number of scored items; ``correct``: how many the detector classifies correctly. ``not_trained``: both numbers without the
    items of the training split. ``not_scored``: ``media_id``, ``label`` and ``reason`` of each other item.

    Args:
        rows: the rows of ``regression.parquet``, or None.
        threshold: the threshold of the detector.
    """
    if rows is None or rows.empty:
        return None
    scored, unscored = rows[rows["score"].notna()], rows[rows["score"].isna()]
    is_correct = (scored["score"] >= threshold) == (scored["label"] == "fake")
    return {
        **_count_correct(is_correct),
        "not_trained": _count_correct(is_correct[scored["split"] != "train"]),
        "not_scored": unscored[["media_id", "label", "reason"]].to_dict("records"),
    }


def _count_correct(is_correct: "pd.Series[bool]") -> dict[str, int]:
    return {"items": len(is_correct), "correct": int(is_correct.sum())}
