"""What makes an answer worth less because of the file's quality.

Is a file unlike everything that the detector was trained on? Then its verdict may mean nothing.

By the distance of its features to the k-th nearest training item: Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors",
ICML 2022. How far is far is said by the validation items, which the network was not trained on either: a conformal p-value (Bates et al.,
"Testing for outliers with conformal p-values", Annals of Statistics 2023). Of files like the validation items one in a hundred is called
far; with fewer than 99 of them, one in n + 1.

The features of the training items are means over at most 4 frames, those of a file over all that were looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from realframe.config import Params
from realframe.media.probe import MediaFacts
from realframe.store.detection_documents import Caution

_JPEG_QUALITY = 50
_FEW = 2  # frames

# Bits per pixel and frame below which a video counts as heavily compressed. For H.264 it is half of what K. Amerasinghe ("H.264 for the
# rest of us", Adobe 2010) gives as enough where little moves, 0.07. HEVC and VP9 need about half of H.264's bits for equal quality (Ohm
# et al., "Comparison of the coding efficiency of video coding standards", IEEE TCSVT 2012), AV1 about a third less again; the older ones
# twice as many. These are rules of thumb: a picture in which nothing moves looks well with less. Codecs without loss have no limit.
_H264 = 0.035
_BITS = {
    "h264": _H264,
    "vp8": _H264,
    "hevc": _H264 / 2,
    "vp9": _H264 / 2,
    "av1": _H264 / 3,
    "mpeg4": 2 * _H264,
    "mpeg2video": 2 * _H264,
}


def cautions_of(facts: MediaFacts, looked_at: int, params: Params) -> Iterator[Caution]:
    """Yield what is to be said of a file's quality.

    Args:
        facts: of the file as it was given.
        looked_at: how many frames were looked at.
        params: the parameters of the detector.
    """
    if side := _enlarged(facts, params):
        said = f"It is only {facts.width} x {facts.height} pixels and was enlarged to the {params.clean.size} that the detector looks at"
        yield Caution(code="quality.tiny", message=f"{said}: the traces of a generator may be lost at {side} pixels.")
    if why := _compressed(facts):
        yield Caution(code="quality.compressed", message=f"It is heavily compressed ({why}), which wipes out the traces of a generator.")
    if facts.kind == "video" and looked_at <= _FEW:
        frames = "One frame" if looked_at == 1 else f"{looked_at} frames"
        yield Caution(code="quality.few-frames", message=f"{frames} of this video could be used, so that the verdict rests on very little.")


def _enlarged(facts: MediaFacts, params: Params) -> int:
    """Return the side that was enlarged, in pixels; 0 where none was, or where every file is cropped to one size before."""
    if params.harmonize.crop.of(facts.kind):
        return 0
    side = max(facts.width, facts.height) if params.clean.fit == "pad" else min(facts.width, facts.height)
    return side if side < params.clean.size else 0


def _compressed(facts: MediaFacts) -> str:
    if facts.kind == "image":
        return f"JPEG of quality {facts.jpeg_quality}" if 0 < facts.jpeg_quality < _JPEG_QUALITY else ""
    bits = 8 * facts.bytes / (facts.frames * facts.width * facts.height)
    return f"{bits:.3f} bits per pixel in {facts.codec}" if bits < _BITS.get(facts.codec, 0.0) else ""


_NEAREST = 5
_LEVEL = 0.01
_NORM = 1e-10  # features of nothing but zeros have no direction


@dataclass(frozen=True)
class Domain:
    """Where the items of the training lie.

    Attributes:
        train: their features, each of length 1, (m, width), m at least 5.
        distances: of each validation item to its 5th nearest training item, sorted, (n,).
    """

    train: NDArray[np.float64]
    distances: NDArray[np.float64]

    @classmethod
    def of(cls, reference: pd.DataFrame) -> Self | None:
        """Take it out of ``reports/reference.parquet``; None where that holds no validation items or too few training items."""
        train, val = (reference.loc[reference["split"] == split, "features"].to_list() for split in ("train", "val"))
        if len(train) < _NEAREST or not val:
            return None
        directions = _directions(np.stack(train))
        return cls(directions, np.sort(_distances(directions, np.stack(val))))

    def caution(self, features: NDArray[np.float32]) -> Caution | None:
        """Return ``domain.far`` where features (width,) lie farther from the training than all but 1 % of the validation items do."""
        distance = _distances(self.train, features[None])[0]
        items = len(self.distances)
        as_far = items - int(np.searchsorted(self.distances, distance, side="left"))
        if (1 + as_far) / (items + 1) > max(_LEVEL, 1 / (items + 1)):
            return None
        others = "99 % of the validation items" if as_far else f"all {items} validation items"
        said = f"It looks unlike everything that this detector was trained on: farther than {others}. Its verdict may mean nothing."
        return Caution(code="domain.far", message=said)


def _distances(train: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the distance of each row to its 5th nearest training item."""
    closeness = np.sort(_directions(features) @ train.T, axis=1)[:, -_NEAREST]
    return np.asarray(np.sqrt(np.maximum(2 - 2 * closeness, 0)), np.float64)  # of vectors of length 1


def _directions(features: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = features.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), _NORM), np.float64)
