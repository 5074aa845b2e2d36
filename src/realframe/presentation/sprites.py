"""Cut pictures of frames: out of the sprite sheets of a detection, and as a contact sheet of an item."""

import base64
import io
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from PIL import Image

from realframe.media.frame_sampling import sample_evenly
from realframe.media.shards import open_shard
from realframe.store.detection_documents import Tiles

CONTACT_SHEET_FRAMES = 4
CONTACT_SHEET_SIDE = 112
"""Side of a frame in a contact sheet, pixels."""
_TILE_QUALITY = 88
_CONTACT_SHEET_QUALITY = 80


@dataclass(frozen=True)
class Sprite:
    """The geometry of the sprite sheets of a detection, which is the same for both.

    Attributes:
        tiles: how the pictures are arranged in them.
    """

    tiles: Tiles

    @classmethod
    def from_tiles(cls, tiles: Tiles | None) -> Self | None:
        """Return the sprite sheets of a detection; None where no picture was made."""
        return cls(tiles) if tiles and tiles.frame_indices else None

    def nearest_frame(self, frame: int) -> int:
        """Return the frame whose picture is shown for a frame: itself, or the nearest one that has a picture (the earlier of two)."""
        pictured = self.tiles.frame_indices
        after = bisect_left(pictured, frame)
        around = pictured[max(after - 1, 0) : after + 1]
        return min(around, key=lambda other: abs(other - frame))

    def box(self, frame: int) -> str:
        """Return the part of the sheet that shows a frame, as an SVG ``viewBox``: x, y, width and height in pixels."""
        left, upper = self._corner(frame)
        return f"{left} {upper} {self.tiles.size} {self.tiles.size}"

    def cut(self, sheet: Image.Image, frame: int) -> str:
        """Return the picture of a frame out of a sheet, as a data URI."""
        data = io.BytesIO()
        self.crop(sheet, frame).save(data, "JPEG", quality=_TILE_QUALITY)
        return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"

    def crop(self, sheet: Image.Image, frame: int) -> Image.Image:
        """Return the picture of a frame out of a sheet."""
        left, upper = self._corner(frame)
        return sheet.crop((left, upper, left + self.tiles.size, upper + self.tiles.size))

    def _corner(self, frame: int) -> tuple[int, int]:
        return self.tiles.corner(bisect_left(self.tiles.frame_indices, self.nearest_frame(frame)))


def contact_sheet(shard: Path) -> bytes:
    """Return a JPEG of up to ``CONTACT_SHEET_FRAMES`` frames, evenly spaced in time, in one row.

    Args:
        shard: the clean frames of a media item, one or more.
    """
    with open_shard(shard) as opened:
        frames = [data for _, data in opened.frames()]
    chosen = sample_evenly(range(len(frames)), CONTACT_SHEET_FRAMES)
    sheet = Image.new("RGB", (CONTACT_SHEET_SIDE * len(chosen), CONTACT_SHEET_SIDE))
    for column, index in enumerate(chosen):
        with Image.open(io.BytesIO(frames[index])) as picture:
            sheet.paste(picture.convert("RGB").resize((CONTACT_SHEET_SIDE, CONTACT_SHEET_SIDE)), (CONTACT_SHEET_SIDE * column, 0))
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=_CONTACT_SHEET_QUALITY)
    return data.getvalue()
