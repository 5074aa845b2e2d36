"""Textures and shapes of the demo scenes: noise with the spectrum of natural pictures, facets, text-like strokes, tints.

All functions use only the random generator that they get and return float32 arrays of linear light, 0 (black) to 1 (white).
"""

import colorsys

import numpy as np
from PIL import Image, ImageDraw
from scipy import fft, ndimage
from scipy.spatial import cKDTree

Array = np.ndarray
Shape = tuple[int, int]


def fractal(rng: np.random.Generator, shape: Shape, beta: float = 2.0, stretch: tuple[float, float] = (1.0, 1.0)) -> Array:
    """Return noise whose power falls as 1 / frequency**beta, as that of natural pictures does (Field 1987: beta about 2).

    Args:
        rng: source of the noise.
        shape: rows, columns.
        beta: 0 is white noise, 2 a natural picture, 4 clouds.
        stretch: factor by which structures are longer along rows and columns; ``(1, 12)`` is wood grain or still water.

    Returns:
        float32 (rows, columns), mean 0.5, mostly within 0 to 1.
    """
    rows = np.fft.fftfreq(shape[0])[:, None] * stretch[0]
    columns = np.fft.rfftfreq(shape[1])[None, :] * stretch[1]
    amplitude = (np.hypot(rows, columns) + 1.0 / max(shape)) ** (-beta / 2)
    spectrum = fft.rfft2(rng.standard_normal(shape, dtype=np.float32)) * amplitude.astype(np.float32)
    spectrum[0, 0] = 0
    noise = fft.irfft2(spectrum, s=shape)
    return np.clip(0.5 + 0.22 * noise / noise.std(), 0, 1).astype(np.float32)


def facets(rng: np.random.Generator, shape: Shape, cells: int) -> Array:
    """Return the cells of a Voronoi diagram, each of one random value: float32 (rows, columns)."""
    seeds = rng.random((cells, 2)) * shape
    pixels = np.indices(shape, dtype=np.float32).reshape(2, -1).T
    nearest = cKDTree(seeds).query(pixels)[1]
    return rng.random(cells, dtype=np.float32)[nearest].reshape(shape)


def strokes(rng: np.random.Generator, shape: Shape, height: int) -> Array:
    """Return the ink density of a page of text-like strokes in lines ``height`` pixels high: float32 (rows, columns), 0 to 1."""
    page = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(page)
    for top in range(height, shape[0] - height, int(height * 1.7)):
        x = float(height)
        end = shape[1] - height * (1 if rng.random() < 0.7 else rng.uniform(2, 12))
        while x < end:
            points = np.column_stack([x + rng.random(4) * height * 0.55, top + rng.random(4) * height])
            pen.line([tuple(point) for point in points], fill=255, width=max(1, height // 7), joint="curve")
            x += height * (0.7 if rng.random() < 0.82 else 1.5)
    return np.asarray(page, np.float32) / 255


def polygon(shape: Shape, points: Array) -> Array:
    """Return the mask of a polygon with smooth edges.

    Args:
        shape: rows, columns.
        points: (n, 2), x and y in pixels.

    Returns:
        float32 (rows, columns), 0 outside to 1 inside.
    """
    mask = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(mask).polygon([tuple(point) for point in points], fill=255)
    return ndimage.gaussian_filter(np.asarray(mask, np.float32) / 255, 0.7)


def ball(size: int) -> tuple[Array, Array]:
    """Return the mask of a disc that fills a square, and the shading of a ball of that outline: two float32 (size, size)."""
    y, x = (np.indices((size, size), dtype=np.float32) + 0.5) / size * 2 - 1
    depth = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    light = 0.15 + 0.85 * np.clip(0.65 * depth - 0.45 * x - 0.6 * y, 0, 1)
    mask = np.clip((0.97 - np.hypot(x, y)) * size / 3, 0, 1)
    return mask, light + 0.8 * np.clip(light - 0.85, 0, 1)


def tint(rng: np.random.Generator, hue: tuple[float, float] = (0, 1), saturation: float = 0.45, value: float = 0.6) -> Array:
    """Return a color near a hue (0 to 1, red to red): float32 (3,), linear light."""
    pure, bright = min(1.0, saturation * rng.uniform(0.5, 1.5)), min(1.0, value * rng.uniform(0.7, 1.4))
    return np.asarray(colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, pure, bright), np.float32) ** 2.2


def blend(low: Array, high: Array, weight: Array) -> Array:
    """Return colors between ``low`` and ``high`` (3,), by ``weight`` (rows, columns): float32 (rows, columns, 3)."""
    return (low + (high - low) * weight[..., None]).astype(np.float32)
