"""Single frames out of the two sprites that lie beside an answer, as pictures for a page.

Where the picture of a frame lies in the sprites ``frames.jpg`` and ``heat.jpg``.

A look at the clean frames of a media item: a few of them side by side in one small picture.
"""

import base64
import io
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from realframe.media.frame_sampling import evenly
from realframe.media.shards import open_shard
from realframe.store.detection_documents import Detection, Tiles

_QUALITY = 88


@dataclass(frozen=True)
class Pair:
    """One frame.

    Attributes:
        time_s: when it is shown.
        frame: the frame as the detector saw it, a data URI.
        heat: the same with the evidence over it, a data URI.
    """

    time_s: float
    frame: str
    heat: str


class Sprites:
    """The pictures of an answer.

    Args:
        detection: the answer, with its tiles.
        frames: the bytes of ``frames.jpg``.
        heat: the bytes of ``heat.jpg``.
    """

    def __init__(self, detection: Detection, frames: bytes, heat: bytes) -> None:
        assert detection.tiles is not None
        self._times = [frame.time_s for frame in detection.frames]
        self._tiles: Tiles = detection.tiles
        self._frames, self._heat = (Image.open(io.BytesIO(data)) for data in (frames, heat))

    def near(self, time_s: float) -> Pair:
        """Return the shown frame that is nearest to a time."""
        times = [self._times[place] for place in self._tiles.shown]
        at = min(range(len(times)), key=lambda place: abs(times[place] - time_s))
        return Pair(times[at], self._cut(self._frames, at), self._cut(self._heat, at))

    def _cut(self, sheet: Image.Image, at: int) -> str:
        left, upper = self._tiles.corner(at)
        data = io.BytesIO()
        sheet.crop((left, upper, left + self._tiles.size, upper + self._tiles.size)).save(data, "JPEG", quality=_QUALITY)
        return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


@dataclass(frozen=True)
class Sprite:
    """The sprites of a detection.

    Attributes:
        tiles: how the pictures lie in them.
    """

    tiles: Tiles

    def nearest(self, place: int) -> int:
        """Return which frame's picture stands for a frame: its own, or the nearest one that was made (the earlier of two)."""
        shown = self.tiles.shown
        after = bisect_left(shown, place)
        around = shown[max(after - 1, 0) : after + 1]
        return min(around, key=lambda one: abs(one - place))

    def box(self, place: int) -> str:
        """Return the part of the sprite that shows a frame, as an SVG ``viewBox``: x, y, width and height in pixels."""
        tile = bisect_left(self.tiles.shown, self.nearest(place))
        left, upper = self.tiles.corner(tile)
        return f"{left} {upper} {self.tiles.size} {self.tiles.size}"


def sprite_of(tiles: Tiles | None) -> Sprite | None:
    """Return the sprites of a detection; None where no picture was made."""
    return Sprite(tiles) if tiles and tiles.shown else None


FRAMES = 4
SIDE = 112
_SHEET_QUALITY = 80


def contact_sheet(shard: Path) -> bytes:
    """Return a JPEG of at most ``FRAMES`` frames, evenly spaced in time, each ``SIDE`` pixels square, from left to right.

    Args:
        shard: of an item's clean frames, one or more.
    """
    with open_shard(shard) as opened:
        frames = [data for _, data in opened.frames()]
    chosen = evenly(range(len(frames)), FRAMES)
    sheet = Image.new("RGB", (SIDE * len(chosen), SIDE))
    for place, index in enumerate(chosen):
        with Image.open(io.BytesIO(frames[index])) as picture:
            sheet.paste(picture.convert("RGB").resize((SIDE, SIDE)), (SIDE * place, 0))
    written = io.BytesIO()
    sheet.save(written, "JPEG", quality=_SHEET_QUALITY)
    return written.getvalue()
