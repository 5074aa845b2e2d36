"""Simulate cameras: from the light of a scene to a developed picture, through a lens, a color mosaic and a noisy sensor.

Sources: the color mosaic by Bayer (US patent 3971065, 1976); its undoing bilinearly or by Malvar, He and Cutler (ICASSP 2004); shot and
read noise of signal-dependent variance by Foi et al. (Practical Poissonian-Gaussian noise modeling, IEEE TIP 2008); the sensor's fixed
pattern, photo-response non-uniformity, by Lukas, Fridrich and Goljan (Digital camera identification, IEEE TIFS 2006).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from realframe.demo.scene_layers import HEIGHT, WIDTH

_GAMMA = np.float32(1 / 2.2)
_LEVELS = 4095  # of a 12-bit converter
_CROSS = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
_SIDES = np.array([[0, 0, 0], [1, 2, 1], [0, 0, 0]]) / 2
_CORNERS = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]]) / 4
# Kernels that interpolate a color from the mosaic: green at red and blue; red or blue at a green between two of them; across the corners.
BILINEAR = (_CROSS - np.diag([0, 1, 0]), _SIDES - np.diag([0, 1, 0]), _CORNERS)
MALVAR = (
    np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8,
    np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]) / 8,
    np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]) / 8,
)


@dataclass(frozen=True)
class Camera:
    """A lens, a sensor and the processing of its pictures.

    Attributes:
        name: of its folder.
        red: row and column, 0 or 1, of red in each 2x2 of the mosaic; blue is opposite.
        demosaic: ``BILINEAR`` or ``MALVAR``.
        blur: of the lens, standard deviation in pixels.
        vignette: share of light lost in the corners.
        white_balance: the gains of red and blue.
        shot_noise: variance of the photon noise per unit of signal; the signal is 0 to 1.
        read_noise: variance of the electronic noise.
        pattern_std: standard deviation of the pixel gains, the fixed pattern.
        sharpen: weight of the difference to a blurred copy that is added.
        sensor_seed: seed of the fixed pattern: one sensor, one pattern.
    """

    name: str
    red: tuple[int, int]
    demosaic: tuple[np.ndarray, np.ndarray, np.ndarray]
    blur: float
    vignette: float
    white_balance: tuple[float, float]
    shot_noise: float
    read_noise: float
    pattern_std: float
    sharpen: float
    sensor_seed: int

    def shoot(self, focused: np.ndarray, amplification: float, rng: np.random.Generator) -> np.ndarray:
        """Take a picture.

        Args:
            focused: output of ``focus``.
            amplification: factor of the noise variance, as of an ISO value; 1 in good light.
            rng: source of the noise.

        Returns:
            float32 (HEIGHT, WIDTH, 3), 0 to 1, as displayed.
        """
        gains = np.asarray((self.white_balance[0], 1.0, self.white_balance[1]), np.float32)
        return self._develop(self._demosaic(self._sense(focused / gains, amplification, rng)) * gains)

    def ideal_picture(self, focused: np.ndarray) -> np.ndarray:
        """Return the picture of an ideal sensor, of the same shape, range and processing as that of ``shoot``."""
        return self._develop(focused)

    def focus(self, light: np.ndarray) -> np.ndarray:
        """Return the light on the sensor, 0 to 1, for the light of a scene; both float32 (HEIGHT, WIDTH, 3), linear."""
        return np.clip(ndimage.gaussian_filter(light, (self.blur, self.blur, 0), truncate=3) * self._shading, 0, 1)

    def _sense(self, light: np.ndarray, amplification: float, rng: np.random.Generator) -> np.ndarray:
        """Return one value per photosite, with gain, noise and quantization: float32 (HEIGHT, WIDTH)."""
        signal = np.where(self._sites[0], light[..., 0], np.where(self._sites[1], light[..., 2], light[..., 1])) * self._gains
        variance = np.float32(amplification) * (self.shot_noise * signal + self.read_noise)
        noisy = signal + np.sqrt(variance) * rng.standard_normal(signal.shape, dtype=np.float32)
        return np.rint(np.clip(noisy, 0, 1) * _LEVELS).astype(np.float32) / _LEVELS

    def _demosaic(self, raw: np.ndarray) -> np.ndarray:
        """Interpolate the missing colors: float32 (HEIGHT, WIDTH, 3)."""
        is_red, is_blue = self._sites
        is_green = ~(is_red | is_blue)
        on_red_row = np.broadcast_to(is_red.any(1, keepdims=True), raw.shape)
        cross, horizontal, corner = (ndimage.correlate(raw, kernel.astype(np.float32), mode="mirror") for kernel in self.demosaic)
        vertical = ndimage.correlate(raw, self.demosaic[1].T.astype(np.float32), mode="mirror")
        red = np.where(is_red, raw, np.where(is_blue, corner, np.where(on_red_row, horizontal, vertical)))
        blue = np.where(is_blue, raw, np.where(is_red, corner, np.where(on_red_row, vertical, horizontal)))
        return np.dstack([red, np.where(is_green, raw, cross), blue])

    def _develop(self, linear: np.ndarray) -> np.ndarray:
        picture = np.clip(linear, 0, 1) ** _GAMMA
        return np.clip(picture + self.sharpen * (picture - ndimage.gaussian_filter(picture, (1, 1, 0), truncate=2)), 0, 1)

    @cached_property
    def _sites(self) -> tuple[np.ndarray, np.ndarray]:
        """The masks of the red and the blue photosites: two bool (HEIGHT, WIDTH)."""
        rows, columns = np.indices((HEIGHT, WIDTH)) % 2
        is_red = (rows == self.red[0]) & (columns == self.red[1])
        return is_red, (rows != self.red[0]) & (columns != self.red[1])

    @cached_property
    def _gains(self) -> np.ndarray:
        rng = np.random.default_rng(self.sensor_seed)
        return 1 + np.float32(self.pattern_std) * rng.standard_normal((HEIGHT, WIDTH), dtype=np.float32)

    @cached_property
    def _shading(self) -> np.ndarray:
        y, x = np.indices((HEIGHT, WIDTH), dtype=np.float32)
        far = np.hypot((x + 0.5) / WIDTH - 0.5, (y + 0.5) / HEIGHT - 0.5) * 2**0.5
        return (1 - self.vignette * far**2)[..., None].astype(np.float32)


CAMERAS = (
    Camera("demo-phone", (0, 0), MALVAR, 0.55, 0.25, (1.9, 1.6), 5e-5, 1.5e-6, 0.006, 0.25, 101),
    Camera("demo-compact", (0, 1), BILINEAR, 0.5, 0.15, (1.7, 1.9), 1.4e-4, 3e-6, 0.010, 0.5, 202),
    Camera("demo-action", (1, 1), MALVAR, 0.65, 0.35, (2.1, 1.5), 8e-5, 2.5e-6, 0.008, 0.25, 303),
)
