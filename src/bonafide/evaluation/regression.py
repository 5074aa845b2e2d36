"""The regression set: files on which detectors were once wrong, scored by each new one."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from bonafide.dataset.split import LABELS
from bonafide.errors import MediaError
from bonafide.evaluation import tables
from bonafide.evaluation.scoring import Scorer
from bonafide.files import sha256_of
from bonafide.media.frames import frames_of
from bonafide.params import Params

_log = logging.getLogger(__name__)


def score_folder(folder: Path, scorer: Scorer, run: Params, splits: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``reports/regression.parquet``; what can't be scored is left out with a warning.

    Args:
        folder: holds ``real/`` and ``fake/`` with the files; where it is missing there are no rows.
        scorer: the detector.
        run: the parameters with which it was trained.
        splits: the rows of ``splits.parquet``.

    Returns:
        One row per file, ordered by ``media_id``: ``media_id``, ``label``, ``kind``, ``split`` (where the dataset holds it; else empty),
        ``score`` (as the network gives it).
    """
    known = splits.set_index("media_id")["split"].to_dict()
    files = [(label, path) for label in LABELS for path in sorted((folder / label).glob("[!.]*")) if path.is_file()]
    rows = list(_scored(files, scorer, run, known))
    return pd.DataFrame(rows, columns=tables.REGRESSION.names).sort_values("media_id", ignore_index=True)


def _scored(files: list[tuple[str, Path]], scorer: Scorer, run: Params, known: dict[Any, str]) -> Iterator[dict[str, Any]]:
    for label, path in tqdm(files, "regression set", unit="item", disable=not files):
        try:
            frames = frames_of(path, run)
        except MediaError as error:
            _log.warning("%s of the regression set is left out: %s", path.name, error)
            continue
        if scorer.sequential and frames.facts.kind != "video":
            _log.warning("%s of the regression set is left out: it is an image, and this recipe scores videos only", path.name)
            continue
        media_id = sha256_of(path)
        score = scorer.score(frames.pictures).score
        yield {"media_id": media_id, "label": label, "kind": frames.facts.kind, "split": known.get(media_id, ""), "score": score}
