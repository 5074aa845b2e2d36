"""Simulate generators: the traces that the decoder of an image or video generator leaves in its pictures, without sensor and mosaic.

A picture is reduced to a latent grid and upsampled again, stage by stage. At each stage the decoder upsamples by its kernel, keeps strong
edges and lines, drops weak detail and adds texture in its place. The traces are those that generators are known for:
checkerboards where the kernel's taps overlap unevenly (Odena, Dumoulin and Olah, Deconvolution and checkerboard artifacts, Distill 2016);
copies of the spectrum where upsampling does not filter them away (Zhang, Karaman and Chang, Detecting and simulating artifacts in GAN fake
images, WIFS 2019); texture made from noise at each stage (Karras et al., StyleGAN, CVPR 2019) that flickers and sticks to the grid.
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
        kernel: taps along one axis of each stage's transposed convolution, an even number and at least the stride. Nearest-neighbor
            upsampling and a convolution is the one whose kernel is their convolution.
        gain_std: standard deviation of the gains of the positions within a cell of the grid, as sub-pixel layers have.
        detail_threshold: detail weaker than this is dropped; in units of the displayed range.
        texture_std: standard deviation of the added texture, in units of the displayed range.
        flicker_std: relative standard deviation of the latent grid's brightness.
        temporal_correlation: correlation of the texture from one frame to the next, 0 to 1.
        gain_seed: seed of the gains: one generator, one set.
    """

    name: str
    strides: tuple[int, ...]
    kernel: tuple[float, ...]
    gain_std: float
    detail_threshold: float
    texture_std: float
    flicker_std: float
    temporal_correlation: float
    gain_seed: int

    def decoder(self, rng: np.random.Generator) -> "Decoder":
        """Return a decoder for one clip, or one image, whose texture comes from ``rng``."""
        return Decoder(self, rng)

    @cached_property
    def gains(self) -> tuple[Array, ...]:
        """The gain of each pixel at each stage: float32 (rows, columns, 1)."""
        rng = np.random.default_rng(self.gain_seed)
        return tuple(self._tiled(rng, stride, shape) for stride, shape in zip(self.strides, self.shapes[1:], strict=True))

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of the latent grid, then after each stage."""
        down = np.cumprod((1, *reversed(self.strides)))[::-1]
        return tuple((HEIGHT // int(factor), WIDTH // int(factor)) for factor in down)

    def _tiled(self, rng: np.random.Generator, stride: int, shape: tuple[int, int]) -> Array:
        cell = 1 + self.gain_std * rng.standard_normal((stride, stride))
        return np.tile(cell, (shape[0] // stride, shape[1] // stride))[..., None].astype(np.float32)


class Decoder:
    """The decoder of a generator for one clip: it remembers the texture of the frame before."""

    def __init__(self, generator: Generator, rng: np.random.Generator) -> None:
        self._generator = generator
        self._rng = rng
        self._texture_gain = np.exp(rng.uniform(-0.5, 0.5))  # prompts differ in the amount of texture
        self._texture: list[Array] = []

    def decode(self, picture: Array) -> Array:
        """Return a picture as the generator would make it; both float32 (HEIGHT, WIDTH, 3), 0 to 1, as displayed."""
        generator = self._generator
        levels = [picture]
        for stride in reversed(generator.strides):
            levels.append(_average_pool(levels[-1], stride))
        self._draw_texture()
        decoded = levels.pop() * (1 + self._texture[0])
        for stage, stride in enumerate(generator.strides):
            decoded = _upsample(decoded, generator.kernel, stride)
            detail = levels.pop() - decoded
            strong_detail = detail - np.clip(detail, -generator.detail_threshold, generator.detail_threshold)
            detail_strength = ndimage.gaussian_filter(np.abs(detail[..., 1]), stride, truncate=2) / generator.detail_threshold
            texture = _upsample(self._texture[1 + stage], generator.kernel, stride) * (0.35 + np.minimum(detail_strength, 1.5))[..., None]
            decoded += strong_detail * generator.gains[stage] + texture
        return np.clip(decoded, 0, 1)

    def _draw_texture(self) -> None:
        """Draw the flicker of the latent grid and the noise of each stage, correlated with those of the frame before."""
        generator = self._generator
        scales = (generator.flicker_std, *([generator.texture_std * self._texture_gain] * len(generator.strides)))
        shapes = (generator.shapes[0], *generator.shapes[:-1])
        texture = [
            np.float32(scale) * self._rng.standard_normal((*shape, 1), dtype=np.float32)
            for scale, shape in zip(scales, shapes, strict=True)
        ]
        if self._texture:
            old, new = np.float32(generator.temporal_correlation), np.float32((1 - generator.temporal_correlation**2) ** 0.5)
            texture = [old * before + new * now for before, now in zip(self._texture, texture, strict=True)]
        self._texture = texture


def _average_pool(picture: Array, stride: int) -> Array:
    rows, columns, channels = picture.shape
    return picture.reshape(rows // stride, stride, columns // stride, stride, channels).mean((1, 3))


def _upsample(picture: Array, kernel: tuple[float, ...], stride: int) -> Array:
    """Return the transposed convolution of (rows, columns, channels) along both axes."""
    for axis in (0, 1):
        picture = _upsample_axis(picture, kernel, stride, axis)
    return picture


def _upsample_axis(picture: Array, kernel: tuple[float, ...], stride: int, axis: int) -> Array:
    edge = 2  # cells repeated beyond the border, so that it does not darken
    padded = np.pad(np.moveaxis(picture, axis, 0), [(edge, edge), (0, 0), (0, 0)], mode="edge")
    upsampled = np.zeros((len(padded) * stride + len(kernel), *padded.shape[1:]), np.float32)
    for tap, weight in enumerate(kernel):
        upsampled[tap : tap + len(padded) * stride : stride] += np.float32(weight) * padded
    first = edge * stride + (len(kernel) - stride) // 2
    return np.moveaxis(upsampled[first : first + picture.shape[axis] * stride], 0, axis)


GENERATORS = (
    Generator("demo-transpose8", (2, 2, 2), (0.27, 0.755, 0.745, 0.23), 0.08, 0.008, 0.010, 0.004, 0.5, 11),
    Generator("demo-nearest8", (2, 2, 2), tuple(np.convolve(_BOX, (0.22, 0.56, 0.22))), 0.05, 0.008, 0.011, 0.004, 0.6, 22),
    Generator("demo-transpose4", (4,), (0.31, 0.685, 0.995, 1.005, 0.70, 0.305), 0.06, 0.009, 0.011, 0.004, 0.4, 33),
)
