"""List the worst mistakes of the detector, each with the frame whose score is most wrong."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from realframe.evaluation.figures import MODEL_SCORE
from realframe.media.shards import read_shard_frames

_THUMBNAIL_SIDE = 220  # pixels
_JPEG_QUALITY = 82


@dataclass(frozen=True)
class ReportedMistake:
    """One wrongly classified item.

    Attributes:
        media_id: id of the item.
        name: path of the original, relative to ``data/raw``; if media are not shown, the first digits of the id.
        label: true class, ``real`` or ``fake``.
        generator: generator of the item; empty if unknown or real.
        kind: ``image`` or ``video``.
        score: probability of ``fake``.
        picture: a frame as a data URI; empty if media are not shown.
    """

    media_id: str
    name: str
    label: str
    generator: str
    kind: str
    score: float
    picture: str


def list_worst_mistakes(
    items: pd.DataFrame, frames: pd.DataFrame, threshold: float, clean_frames_dir: Path | None, count: int
) -> list[ReportedMistake]:
    """Return the wrongly classified items that are farthest from the threshold, the worst first.

    Args:
        items: the item table of a split, with ``path``.
        frames: the scored frames of the items.
        threshold: the threshold of the detector.
        clean_frames_dir: the folder of clean shards; None: media are not shown.
        count: maximum number of items.
    """
    return [_describe_mistake(item, frames, clean_frames_dir) for item in select_worst_items(items, threshold, count).to_dict("records")]


def select_worst_items(items: pd.DataFrame, threshold: float, count: int) -> pd.DataFrame:
    """Return the rows of the wrongly classified items that are farthest from the threshold, the worst first.

    Args:
        items: the item table of a split.
        threshold: the threshold of the detector.
        count: maximum number of items.
    """
    fake = items["label"] == "fake"
    wrongness = (items[MODEL_SCORE] - threshold).where(~fake, threshold - items[MODEL_SCORE])
    is_wrong = (items[MODEL_SCORE] >= threshold) != fake
    return items.assign(wrongness=wrongness)[is_wrong].nlargest(count, "wrongness")  # pandas gives an empty table the rows of a new column


def encode_data_uri(data: bytes, kind: str) -> str:
    """Return bytes as a data URI such as ``data:image/png;base64,...``."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _describe_mistake(item: dict[Any, Any], frames: pd.DataFrame, clean_frames_dir: Path | None) -> ReportedMistake:
    media_id, label = str(item["media_id"]), str(item["label"])
    name = str(item["path"]) if clean_frames_dir else media_id[:12]
    picture = _encode_misleading_frame(media_id, label, frames, clean_frames_dir) if clean_frames_dir else ""
    facts = {fact: str(item[fact]) for fact in ("generator", "kind")}
    return ReportedMistake(media_id, name=name, label=label, score=float(item[MODEL_SCORE]), picture=picture, **facts)


def _encode_misleading_frame(media_id: str, label: str, frames: pd.DataFrame, clean_frames_dir: Path) -> str:
    """Return the frame whose score is most wrong, as a data URI."""
    scored = frames[frames["media_id"] == media_id].set_index("index")[MODEL_SCORE]
    index = int(scored.index.to_numpy()[int(scored.argmin() if label == "fake" else scored.argmax())])
    pictures, indices, _ = read_shard_frames(clean_frames_dir / f"{media_id}.tar")
    return _encode_thumbnail(pictures[int(np.flatnonzero(indices == index)[0])])


def _encode_thumbnail(frame: NDArray[np.uint8]) -> str:
    picture = Image.fromarray(frame)
    picture.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return encode_data_uri(buffer.getvalue(), "image/jpeg")
