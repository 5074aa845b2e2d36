"""The items that the detector got most wrong, with the frame that misled it most: what a reviewer looks at first."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from realframe.evaluation.figures import MODEL
from realframe.media.shards import read_frames

_SIDE = 220  # of a thumbnail, pixels
_QUALITY = 82


@dataclass(frozen=True)
class ReportedMistake:
    """One item that was called wrong.

    Attributes:
        media_id: which.
        name: path of the original, relative to the folder of originals; the beginning of its id where media are not shown.
        label: what it is, ``real`` or ``fake``.
        generator: what made it; empty where unknown or real.
        kind: ``image`` or ``video``.
        score: the item's probability of ``fake``.
        picture: a data URI of a frame; empty where media are not shown.
    """

    media_id: str
    name: str
    label: str
    generator: str
    kind: str
    score: float
    picture: str


def worst(items: pd.DataFrame, frames: pd.DataFrame, at: float, clean: Path | None, count: int) -> list[ReportedMistake]:
    """Return the ``count`` wrongly called items that lie farthest on the wrong side of the threshold, the worst first.

    Args:
        items: the item table of a split, with ``path``.
        frames: its frames with their scores.
        at: the threshold.
        clean: the folder of clean shards; None shows no media.
        count: at most so many.
    """
    return [_mistake(item, frames, clean) for item in wrongest(items, at, count).to_dict("records")]


def wrongest(items: pd.DataFrame, at: float, count: int) -> pd.DataFrame:
    """Return the rows of those items, the worst first.

    Args:
        items: the item table of a split.
        at: the threshold.
        count: at most so many.
    """
    fake = items["label"] == "fake"
    wrongness = (items[MODEL] - at).where(~fake, at - items[MODEL])
    return items[(items[MODEL] >= at) != fake].assign(wrongness=wrongness).nlargest(count, "wrongness")


def data_uri(data: bytes, kind: str) -> str:
    """Return bytes as an address that carries them, such as ``data:image/png;base64,...``."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _mistake(item: dict[Any, Any], frames: pd.DataFrame, clean: Path | None) -> ReportedMistake:
    media_id, label = str(item["media_id"]), str(item["label"])
    name = str(item["path"]) if clean else media_id[:12]
    picture = _misleading(media_id, label, frames, clean) if clean else ""
    facts = {fact: str(item[fact]) for fact in ("generator", "kind")}
    return ReportedMistake(media_id, name=name, label=label, score=float(item[MODEL]), picture=picture, **facts)


def _misleading(media_id: str, label: str, frames: pd.DataFrame, clean: Path) -> str:
    """The frame that misled the detector most, as a data URI."""
    scored = frames[frames["media_id"] == media_id].set_index("index")[MODEL]
    index = int(scored.index.to_numpy()[int(scored.argmin() if label == "fake" else scored.argmax())])
    pictures, indices, _ = read_frames(clean / f"{media_id}.tar")
    return _thumbnail(pictures[int(np.flatnonzero(indices == index)[0])])


def _thumbnail(frame: NDArray[np.uint8]) -> str:
    picture = Image.fromarray(frame)
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return data_uri(buffer.getvalue(), "image/jpeg")
