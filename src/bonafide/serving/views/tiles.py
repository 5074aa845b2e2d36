"""Where the picture of a frame lies in the sprites ``frames.jpg`` and ``heat.jpg``."""

from bisect import bisect_left
from dataclasses import dataclass

from bonafide.metadata.detections import Tiles


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
