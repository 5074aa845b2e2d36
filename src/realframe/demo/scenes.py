"""Draw the scenes of the demo, in linear light: what the camera films and what the generator is asked for.

Five kinds (landscape, street, desk with papers, still life, abstract), each drawn from a seed, with objects that move and a view that pans,
zooms and turns. Both classes show the same scenes, so only the way they are made separates them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from realframe.demo.scene_layers import DENSITY, HEIGHT, WIDTH, Layer, Motion
from realframe.demo.textures import ball, blend, facets, fractal, polygon, strokes, tint

GROUND = (int(400 * DENSITY), int(500 * DENSITY))  # rows, columns of a layer that fills the view wherever it pans
_GREY = 0.2  # mean of an exposed scene: near the 18 % gray that light meters aim at


@dataclass(frozen=True)
class Scene:
    """Layers from back to front, the motion of the view, and the exposure, a factor of the light."""

    layers: tuple[Layer, ...]
    view: Motion
    exposure: float

    def frame(self, time: float) -> np.ndarray:
        """Return the frame at ``time`` (seconds): float32 (HEIGHT, WIDTH, 3), linear light, 0 to 1 and above in highlights."""
        canvas = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        for layer in self.layers:
            layer.draw(canvas, self.view, time)
        return canvas * np.float32(self.exposure)


def make_scene(rng: np.random.Generator, seconds: float) -> Scene:
    """Draw a scene whose view stays within its ground for ``seconds``."""
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    layers = tuple(kind(rng))
    view = _view(rng, seconds)
    preview = Scene(layers, view, 1.0).frame(seconds / 2)
    return Scene(layers, view, _GREY * rng.uniform(0.75, 1.35) / float(preview.mean()))


def _view(rng: np.random.Generator, seconds: float) -> Motion:
    pan = rng.uniform((8, 2), (20, 8)) * rng.choice((-1, 1), 2)
    growth, spin = rng.uniform(-0.05, 0.05), rng.uniform(-0.012, 0.012)
    return Motion(
        start=(-pan[0] * seconds / 2, -pan[1] * seconds / 2),
        velocity=(pan[0], pan[1]),
        sway=tuple(rng.uniform(0, 3, 2)),
        rate=rng.uniform(1, 4),
        angle=-spin * seconds / 2,
        spin=spin,
        scale=1.0 if growth > 0 else float(np.exp(-growth * seconds)),
        growth=growth,
    )


def _drift(rng: np.random.Generator, speed: float, spin: float = 0.0, low: float = -100, high: float = 100) -> Motion:
    """Return the motion of an object that crosses the scene and is half-way in the middle of a clip."""
    velocity = rng.uniform(-speed, speed, 2) * (1, 0.35)
    start = (rng.uniform(-150, 150) - 2 * velocity[0], rng.uniform(low, high) - 2 * velocity[1])
    swing = rng.uniform(0, 8, 2)
    return Motion(
        start, tuple(velocity), tuple(swing), rng.uniform(0.5, 3), rng.uniform(-0.3, 0.3), rng.uniform(-spin, spin), rng.uniform(0.6, 1.3)
    )


def _landscape(rng: np.random.Generator) -> list[Layer]:
    rows, columns = GROUND
    height = np.linspace(0, 1, rows, dtype=np.float32)[:, None] * np.ones((1, columns), np.float32)
    sky = blend(tint(rng, (0.52, 0.65), 0.5, 0.7), tint(rng, (0.02, 0.6), 0.2, 0.9), np.clip(height * 1.6, 0, 1))
    clouds = np.clip(fractal(rng, GROUND, 3.2, (2.0, 1.0)) * 2.2 - 1.0, 0, 1) * (1 - height)
    sky += (0.85 - sky) * clouds[..., None]
    layers = [Layer.from_arrays(sky, depth=0.25)]
    hue = rng.uniform(0.15, 0.45)
    for depth, base in ((0.45, 0.48), (0.7, 0.58), (1.0, 0.7)):
        ridge = base + 0.28 * (fractal(rng, (2, columns), 2.4)[0] - 0.5)
        alpha = np.clip((height - ridge) * rows / 2, 0, 1)
        rough = fractal(rng, GROUND, 1.2 + (1 - depth), (2.0, 1.0)) * (0.5 + 0.5 * fractal(rng, GROUND, 2.6))
        near = blend(tint(rng, (hue, hue + 0.06), 0.45, 0.3), tint(rng, (hue, hue + 0.1), 0.5, 0.75), rough * 1.5)
        layers.append(Layer.from_arrays(near + (sky.mean((0, 1)) - near) * (0.7 * (1 - depth)), alpha, depth=depth))
    return layers + [_balloon(rng) for _ in range(rng.integers(1, 4))]


def _balloon(rng: np.random.Generator) -> Layer:
    size = int(rng.integers(40, 110))
    mask, light = ball(size)
    stripes = (np.sin(np.linspace(0, rng.uniform(8, 30), size)) > 0).astype(np.float32)[None, :] * np.ones((size, 1), np.float32)
    return Layer.from_arrays(
        blend(tint(rng, saturation=0.7), tint(rng, saturation=0.7), stripes) * light[..., None], mask, _drift(rng, 22, 0.1, high=20)
    )


def _street(rng: np.random.Generator) -> list[Layer]:
    rows, columns = GROUND
    wall = blend(tint(rng, (0.0, 0.15), 0.3, 0.5), tint(rng, (0.0, 0.15), 0.3, 0.8), fractal(rng, GROUND, 1.6))
    ground = int(rows * 0.72)
    left = 0
    while left < columns:
        wide = int(rng.integers(110, 240))
        _facade(rng, wall[: ground - int(rng.integers(0, 30)), left : left + wide])
        left += wide
    road = fractal(rng, (rows - ground, columns), 0.9, (2.0, 1.0))
    wall[ground:] = blend(np.full(3, 0.05, np.float32), np.full(3, 0.3, np.float32), road)
    wall[ground : ground + 8] = 0.45
    return [Layer.from_arrays(ndimage.gaussian_filter(wall, (0.6, 0.6, 0)))] + [_vehicle(rng) for _ in range(rng.integers(2, 4))]


def _facade(rng: np.random.Generator, wall: np.ndarray) -> None:
    """Paint a house with rows of windows, some of them lit, and a sign, in place."""
    wall *= tint(rng, (0.0, 0.16), 0.4, 0.95)
    pitch_y, pitch_x = int(rng.integers(34, 60)), int(rng.integers(26, 50))
    for top in range(14, wall.shape[0] - pitch_y, pitch_y):
        for left in range(8, wall.shape[1] - pitch_x + 8, pitch_x):
            window = wall[top : top + pitch_y * 2 // 3, left : left + pitch_x * 2 // 3]
            glass = tint(rng, (0.1, 0.16), 0.5, 0.95) if rng.random() < 0.2 else tint(rng, (0.55, 0.65), 0.3, 0.25)
            window[2:-2, 2:-2] = glass * np.linspace(0.5, 1.3, max(0, window.shape[1] - 4), dtype=np.float32)[None, :, None]
            window[:2] = window[-2:] = wall.mean() * 1.6
    sign = wall[-30:-8, 12:-12]
    if min(sign.shape[:2]) > 20:
        sign[...] = blend(tint(rng, value=0.9), tint(rng, value=0.25), strokes(rng, sign.shape[:2], 10))


def _vehicle(rng: np.random.Generator) -> Layer:
    rows, columns = 70, 140
    body = polygon((rows, columns), np.array([[6, 56], [6, 36], [34, 30], [52, 8], [100, 8], [118, 32], [134, 38], [134, 56]]))
    color = blend(
        tint(rng, saturation=0.7, value=0.5), tint(rng, saturation=0.7, value=0.8), np.linspace(1, 0, rows)[:, None] * np.ones((1, columns))
    )
    color[13:30, 52:74] = color[13:30, 80:100] = tint(rng, (0.55, 0.65), 0.2, 0.35)
    for center in (34, 106):
        mask, light = ball(28)
        wheel = np.s_[40:68, center - 14 : center + 14]
        color[wheel] += (0.12 * light[..., None] - color[wheel]) * mask[..., None]
        body[wheel] = np.maximum(body[wheel], mask)
    speed = rng.uniform(18, 45) * rng.choice((-1, 1))
    return Layer.from_arrays(
        color,
        body,
        Motion((rng.uniform(-80, 80) - 2 * speed, rng.uniform(62, 110)), (speed, 0), (0, 0.6), 7.0, scale=rng.uniform(0.9, 1.5)),
    )


def _desk(rng: np.random.Generator) -> list[Layer]:
    grain = 0.7 * fractal(rng, GROUND, 1.7, (12.0, 1.0)) + 0.3 * fractal(rng, GROUND, 1.0)
    wood = blend(tint(rng, (0.04, 0.1), 0.7, 0.3), tint(rng, (0.05, 0.12), 0.5, 0.75), grain)
    layers = [Layer.from_arrays(wood)]
    for _ in range(rng.integers(3, 6)):
        shape = (int(rng.integers(150, 300)), int(rng.integers(120, 260)))
        ink = strokes(rng, shape, int(rng.integers(8, 22)))
        paper = blend(tint(rng, (0.08, 0.17), 0.1, 0.95), tint(rng, saturation=0.6, value=0.15), ink * 0.9)
        paper *= (0.85 + 0.3 * fractal(rng, shape, 1.2))[..., None]
        alpha = ndimage.gaussian_filter(np.pad(np.ones((shape[0] - 4, shape[1] - 4), np.float32), 2), 0.7)
        layers.append(Layer.from_arrays(paper, alpha, _drift(rng, 7, 0.06)))
    return layers + [_pencil(rng) for _ in range(rng.integers(1, 3))]


def _pencil(rng: np.random.Generator) -> Layer:
    rows, columns = 16, 200
    mask = polygon((rows, columns), np.array([[2, 2], [170, 2], [196, 8], [170, 14], [2, 14]]))
    shine = np.abs(np.linspace(-1, 1, rows))[:, None] * np.ones((1, columns))
    color = blend(tint(rng, saturation=0.9, value=0.9), tint(rng, saturation=0.9, value=0.3), shine)
    color[:, 170:] = tint(rng, (0.06, 0.1), 0.4, 0.8)
    return Layer.from_arrays(color, mask, _drift(rng, 25, 0.5))


def _still_life(rng: np.random.Generator) -> list[Layer]:
    rows, columns = GROUND
    edge = int(rows * rng.uniform(0.45, 0.6))
    back = blend(tint(rng, saturation=0.3, value=0.3), tint(rng, saturation=0.3, value=0.7), fractal(rng, GROUND, 2.6))
    weave = fractal(rng, (rows - edge, columns), 0.6) * (0.6 + 0.4 * np.sin(np.arange(columns) * rng.uniform(0.2, 0.9)))
    back[edge:] = blend(tint(rng, value=0.35), tint(rng, value=0.8), weave)
    back *= np.linspace(1.3, 0.6, columns, dtype=np.float32)[None, :, None]
    fruits = [_fruit(rng) for _ in range(rng.integers(4, 8))]
    return [Layer.from_arrays(ndimage.gaussian_filter(back, (0.6, 0.6, 0))), *sorted(fruits, key=lambda fruit: fruit.motion.start[1])]


def _fruit(rng: np.random.Generator) -> Layer:
    size = int(rng.integers(60, 170))
    mask, light = ball(size)
    skin = 0.6 * fractal(rng, (size, size), 1.4) + 0.4 * fractal(rng, (size, size), 0.3)
    color = blend(tint(rng, (-0.05, 0.35), 0.7, 0.4), tint(rng, (-0.05, 0.35), 0.7, 0.9), skin) * light[..., None]
    return Layer.from_arrays(color, mask, _drift(rng, 12, 0.25, low=-20, high=110))


def _abstract(rng: np.random.Generator) -> list[Layer]:
    cells = facets(rng, GROUND, int(rng.integers(40, 300)))
    ground = blend(tint(rng, value=0.3), tint(rng, value=0.85), 0.65 * cells + 0.35 * fractal(rng, GROUND, rng.uniform(0.6, 2.2)))
    layers = [Layer.from_arrays(ndimage.gaussian_filter(ground, (0.6, 0.6, 0)))]
    for _ in range(rng.integers(4, 8)):
        size = int(rng.integers(70, 190))
        turns = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
        points = size / 2 + np.column_stack([np.cos(turns), np.sin(turns)]) * rng.uniform(0.25, 0.48, (len(turns), 1)) * size
        surface = blend(tint(rng, saturation=0.6), tint(rng, saturation=0.6), fractal(rng, (size, size), rng.uniform(0.5, 2.5)))
        layers.append(Layer.from_arrays(surface, polygon((size, size), points), _drift(rng, 25, 0.5), depth=rng.uniform(0.6, 1.2)))
    return layers


_KINDS: tuple[Callable[[np.random.Generator], list[Layer]], ...] = (_landscape, _street, _desk, _still_life, _abstract)
