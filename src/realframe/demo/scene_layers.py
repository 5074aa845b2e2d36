"""Moving layers of a scene: flat pictures at some depth, drawn as a panning, zooming and turning view sees them."""

from dataclasses import dataclass
from math import cos, exp, hypot, sin
from typing import Self

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 320, 256  # of a frame, pixels; the short side is what the pipeline's default keeps, so that it scales nothing
DENSITY = 1.5  # texels of a layer per pixel of a frame, so that the lens and not the texture limits the detail


@dataclass(frozen=True)
class Motion:
    """A path in time, of an object in the scene or of the view.

    Attributes:
        start: x and y at time 0, pixels from the middle of the scene.
        velocity: pixels per second.
        sway: amplitude of the oscillation about the straight path, pixels.
        rate: angular frequency of the oscillation, radians per second.
        angle: at time 0, radians.
        spin: angular velocity, radians per second.
        scale: at time 0; 1 is the drawn size.
        growth: rate of the logarithm of the scale, per second.
    """

    start: tuple[float, float] = (0.0, 0.0)
    velocity: tuple[float, float] = (0.0, 0.0)
    sway: tuple[float, float] = (0.0, 0.0)
    rate: float = 1.0
    angle: float = 0.0
    spin: float = 0.0
    scale: float = 1.0
    growth: float = 0.0

    def position(self, time: float) -> tuple[float, float, float, float]:
        """Return x, y, angle and scale at ``time``, seconds."""
        x = self.start[0] + self.velocity[0] * time + self.sway[0] * sin(self.rate * time)
        y = self.start[1] + self.velocity[1] * time + self.sway[1] * cos(self.rate * time)
        return x, y, self.angle + self.spin * time, self.scale * exp(self.growth * time)


@dataclass(frozen=True)
class Layer:
    """A flat picture with its motion.

    Attributes:
        planes: red, green, blue (times alpha) and, unless it is opaque, alpha; Pillow images of mode F and equal size.
        motion: of its middle.
        depth: share of the view's motion that it follows: 1 is in the scene, 0 is infinitely far.
    """

    planes: tuple[Image.Image, ...]
    motion: Motion = Motion()
    depth: float = 1.0

    @classmethod
    def from_arrays(cls, color: np.ndarray, alpha: np.ndarray | None = None, motion: Motion | None = None, depth: float = 1.0) -> Self:
        """Create a layer from ``color`` (rows, columns, 3) and ``alpha`` (rows, columns), at ``DENSITY`` texels per pixel."""
        opaque = color if alpha is None else color * alpha[..., None]
        arrays = [opaque[..., channel] for channel in range(3)] + ([] if alpha is None else [alpha])
        return cls(tuple(Image.fromarray(np.ascontiguousarray(array, np.float32)) for array in arrays), motion or Motion(), depth)

    def draw(self, canvas: np.ndarray, view: Motion, time: float) -> None:
        """Draw the layer over ``canvas``, float32 (HEIGHT, WIDTH, 3), in place, as ``view`` sees it at ``time`` (seconds)."""
        to_texel, (left, top, right, bottom) = self._place(view, time)
        if right <= left or bottom <= top:
            return
        a, b, c, d, e, f = to_texel
        data = (a, b, c + a * left + b * top, d, e, f + d * left + e * top)
        size = (right - left, bottom - top)
        drawn = [np.asarray(plane.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)) for plane in self.planes]
        window = canvas[top:bottom, left:right]
        if len(drawn) == 4:
            window *= 1 - drawn[3][..., None]
            window += np.dstack(drawn[:3])
        else:
            window[...] = np.dstack(drawn)

    def _place(self, view: Motion, time: float) -> tuple[tuple[float, ...], tuple[int, int, int, int]]:
        """Return the affine map from frame to texel, row by row, and the box of the frame that the layer can cover."""
        view_x, view_y, turn, zoom = view.position(time)
        x, y, angle, scale = self.motion.position(time)
        turn, zoom = turn * self.depth, 1 + (zoom - 1) * self.depth
        x, y = x - view_x * self.depth, y - view_y * self.depth  # from the middle of the view
        columns, rows = self.planes[0].size
        grow = DENSITY / (scale * zoom)
        a, b = grow * cos(turn - angle), -grow * sin(turn - angle)
        middle_x = WIDTH / 2 + zoom * (x * cos(turn) + y * sin(turn))
        middle_y = HEIGHT / 2 + zoom * (y * cos(turn) - x * sin(turn))
        c, f = columns / 2 - a * middle_x - b * middle_y, rows / 2 + b * middle_x - a * middle_y
        reach = hypot(columns, rows) / 2 / grow + 1
        box = (max(0, int(middle_x - reach)), max(0, int(middle_y - reach)))
        far = (min(WIDTH, int(middle_x + reach) + 1), min(HEIGHT, int(middle_y + reach) + 1))
        return (a, b, c, -b, a, f), (*box, *far)
