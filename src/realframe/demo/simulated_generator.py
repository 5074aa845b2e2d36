"""Simulated generators: what the decoder of an image or video generator leaves in its pictures. No sensor, no mosaic.

A picture is brought down to a latent grid and up again, stage by stage. At each stage the decoder upsamples by its kernel, puts back the
strong edges and lines, loses the weak detail and invents texture in its place. Its marks are those that generators are known for:
checkerboards where the kernel's taps overlap unevenly (Odena, Dumoulin and Olah, Deconvolution and checkerboard artifacts, Distill 2016);
copies of the spectrum where upsampling does not filter them away (Zhang, Karaman and Chang, Detecting and simulating artifacts in GAN fake
images, WIFS 2019); texture invented from noise at each stage (Karras et al., StyleGAN, CVPR 2019) that flickers and sticks to the grid.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from realframe.demo.scene_layers import HEIGHT, WIDTH

Array = np.ndarray
_BOX = np.ones(2)


@dataclass(frozen=True)
class Generator:
    """The decoder of a simulated generator.

    Attributes:
        name: of its folder.
        strides: of its stages, from the latent grid up.
        kernel: taps along one axis of each stage's transposed convolution, an even number and at least the stride. Nearest-neighbour
            upsampling and a convolution is the one whose kernel is their convolution.
        unevenness: standard deviation of the gains of the positions within a cell of the grid, as sub-pixel layers have.
        forgets: detail weaker than this is lost, of the displayed range.
        invents: standard deviation of the texture put in its place, of the displayed range.
        flickers: standard deviation of the latent grid's brightness, of itself.
        memory: how much of the invention lasts from one frame to the next, 0 to 1.
        weights: seed of the gains: one generator, one set.
    """

    name: str
    strides: tuple[int, ...]
    kernel: tuple[float, ...]
    unevenness: float
    forgets: float
    invents: float
    flickers: float
    memory: float
    weights: int

    def decoder(self, rng: np.random.Generator) -> "Decoder":
        """Start a clip (or an image, a clip of one frame) whose invention comes from ``rng``."""
        return Decoder(self, rng)

    @cached_property
    def gains(self) -> tuple[Array, ...]:
        """For each stage the gain of each position within a cell, over a whole picture: float32 (rows, columns, 1)."""
        rng = np.random.default_rng(self.weights)
        return tuple(self._tiled(rng, stride, shape) for stride, shape in zip(self.strides, self.shapes[1:], strict=True))

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of the latent grid and after each stage."""
        down = np.cumprod((1, *reversed(self.strides)))[::-1]
        return tuple((HEIGHT // int(factor), WIDTH // int(factor)) for factor in down)

    def _tiled(self, rng: np.random.Generator, stride: int, shape: tuple[int, int]) -> Array:
        cell = 1 + self.unevenness * rng.standard_normal((stride, stride))
        return np.tile(cell, (shape[0] // stride, shape[1] // stride))[..., None].astype(np.float32)


class Decoder:
    """A generator at work on one clip: it remembers what it invented in the frame before."""

    def __init__(self, generator: Generator, rng: np.random.Generator) -> None:
        self._generator = generator
        self._rng = rng
        self._vivid = np.exp(rng.uniform(-0.5, 0.5))  # prompts differ in how rich a texture they ask for
        self._invented: list[Array] = []

    def decode(self, picture: Array) -> Array:
        """Return ``picture``, float32 (HEIGHT, WIDTH, 3), 0 to 1, as displayed, as the generator would make it: same shape and range."""
        generator = self._generator
        levels = [picture]
        for stride in reversed(generator.strides):
            levels.append(_pooled(levels[-1], stride))
        self._invent()
        made = levels.pop() * (1 + self._invented[0])
        for stage, stride in enumerate(generator.strides):
            made = _upsampled(made, generator.kernel, stride)
            detail = levels.pop() - made
            kept = detail - np.clip(detail, -generator.forgets, generator.forgets)
            busy = ndimage.gaussian_filter(np.abs(detail[..., 1]), stride, truncate=2) / generator.forgets
            texture = _upsampled(self._invented[1 + stage], generator.kernel, stride) * (0.35 + np.minimum(busy, 1.5))[..., None]
            made += kept * generator.gains[stage] + texture
        return np.clip(made, 0, 1)

    def _invent(self) -> None:
        """Draw the flicker of the latent grid and the noise below each stage, in part those of the frame before."""
        generator = self._generator
        scales = (generator.flickers, *([generator.invents * self._vivid] * len(generator.strides)))
        shapes = (generator.shapes[0], *generator.shapes[:-1])
        fresh = [
            np.float32(scale) * self._rng.standard_normal((*shape, 1), dtype=np.float32)
            for scale, shape in zip(scales, shapes, strict=True)
        ]
        if self._invented:
            old, new = np.float32(generator.memory), np.float32((1 - generator.memory**2) ** 0.5)
            fresh = [old * before + new * now for before, now in zip(self._invented, fresh, strict=True)]
        self._invented = fresh


def _pooled(picture: Array, stride: int) -> Array:
    rows, columns, channels = picture.shape
    return picture.reshape(rows // stride, stride, columns // stride, stride, channels).mean((1, 3))


def _upsampled(picture: Array, kernel: tuple[float, ...], stride: int) -> Array:
    """Return the transposed convolution of (rows, columns, channels) along both axes."""
    for axis in (0, 1):
        picture = _upsampled_along(picture, kernel, stride, axis)
    return picture


def _upsampled_along(picture: Array, kernel: tuple[float, ...], stride: int, axis: int) -> Array:
    edge = 2  # cells repeated beyond the border, so that it does not darken
    padded = np.pad(np.moveaxis(picture, axis, 0), [(edge, edge), (0, 0), (0, 0)], mode="edge")
    laid = np.zeros((len(padded) * stride + len(kernel), *padded.shape[1:]), np.float32)
    for tap, weight in enumerate(kernel):
        laid[tap : tap + len(padded) * stride : stride] += np.float32(weight) * padded
    first = edge * stride + (len(kernel) - stride) // 2
    return np.moveaxis(laid[first : first + picture.shape[axis] * stride], 0, axis)


GENERATORS = (
    Generator("demo-transpose8", (2, 2, 2), (0.27, 0.755, 0.745, 0.23), 0.08, 0.008, 0.010, 0.004, 0.5, 11),
    Generator("demo-nearest8", (2, 2, 2), tuple(np.convolve(_BOX, (0.22, 0.56, 0.22))), 0.05, 0.008, 0.011, 0.004, 0.6, 22),
    Generator("demo-transpose4", (4,), (0.31, 0.685, 0.995, 1.005, 0.70, 0.305), 0.06, 0.009, 0.011, 0.004, 0.4, 33),
)
