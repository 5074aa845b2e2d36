"""Render one scene twice, filmed by a simulated camera and made by a simulated generator, as a clip or an image.

Both classes are written with the same settings: H.264 in MP4, and JPEG. A pair depends only on the seed and its own number.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import ffmpeg
import numpy as np
from PIL import Image

from realframe.demo.scene_layers import HEIGHT, WIDTH
from realframe.demo.scenes import Scene, make_scene
from realframe.demo.simulated_camera import CAMERAS, Camera
from realframe.demo.simulated_generator import GENERATORS, Generator
from realframe.errors import SetupError
from realframe.files import atomic_path
from realframe.media.ffmpeg import ffmpeg_executable

FPS = 8
SECONDS = 4
_CRF = 20  # x264's quality: 23 is its default, 18 looks lossless
_JPEG_QUALITY = 90


def write_clip(pictures: Iterable[np.ndarray], target: Path) -> None:
    """Write pictures, float32 (HEIGHT, WIDTH, 3), 0 to 1, as a clip of ``FPS``. Raises SetupError if FFmpeg cannot write H.264."""
    raw = b"".join(_quantize(picture).tobytes() for picture in pictures)
    with atomic_path(target) as temporary:
        source = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", video_size=(WIDTH, HEIGHT), framerate=FPS)
        # one thread, so that the same frames give the same bytes; other processes use the other cores
        clip = source.output(
            f"file:{temporary}", vcodec="libx264", preset="veryfast", crf=_CRF, pix_fmt="yuv420p", threads=1, loglevel="error"
        )
        try:
            clip.run(cmd=ffmpeg_executable(), input=raw, quiet=True)
        except ffmpeg.Error as error:
            cause = error.stderr.decode(errors="replace").partition("\n")[0]
            raise SetupError(
                ffmpeg_executable(), f"cannot write H.264: {cause}", "Install an FFmpeg with libx264, or remove this one from the PATH."
            ) from error


def write_image(picture: np.ndarray, target: Path) -> None:
    """Write a picture, float32 (HEIGHT, WIDTH, 3), 0 to 1, as a JPEG."""
    with atomic_path(target) as temporary:
        Image.fromarray(_quantize(picture)).save(temporary, quality=_JPEG_QUALITY)


def _quantize(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)


Stream = Literal["clip", "image", "unseen"]
_STREAMS: tuple[Stream, ...] = ("clip", "image", "unseen")  # part of the seed: no scene occurs in two streams
_SCENE, _CAMERA, _GENERATOR = range(3)


@dataclass(frozen=True)
class ScenePair:
    """One scene and the paths of its two renderings.

    Attributes:
        folder: of the set.
        stream: clips or images of the set, or unseen clips.
        number: of the scene within the stream.
        seed: of the set.
        real_only: the scene is rendered as real only, because an odd number of files was requested.
    """

    folder: Path
    stream: Stream
    number: int
    seed: int
    real_only: bool = False

    @property
    def camera(self) -> Camera:
        """The camera that films the scene; over the numbers, every camera is paired with every generator."""
        return CAMERAS[(self.number + self.number // len(GENERATORS)) % len(CAMERAS)]

    @property
    def generator(self) -> Generator:
        """The generator that makes the scene."""
        return GENERATORS[self.number % len(GENERATORS)]

    @property
    def group(self) -> str:
        """The group that the two renderings share."""
        return f"{self.stream}_{self.number:03d}"

    @property
    def files(self) -> dict[str, Path]:
        """The file of each label. In a labeled set it is in the folder of its camera or generator."""
        maker = {"real": self.camera.name, "fake": self.generator.name}
        labels = ("real",) if self.real_only else ("real", "fake")
        name = f"{self.group}.{'jpg' if self.stream == 'image' else 'mp4'}"
        return {label: self.folder / label / ("" if self.stream == "unseen" else maker[label]) / name for label in labels}

    def missing_files(self) -> dict[str, Path]:
        """Return the files that do not exist yet, by label."""
        return {label: path for label, path in self.files.items() if not path.exists()}

    def render(self) -> None:
        """Write the missing files. Raises SetupError if FFmpeg cannot write H.264."""
        missing = self.missing_files()
        scene = make_scene(self._rng(_SCENE), SECONDS)
        if self.stream == "image":
            views = [self.camera.focus(scene.frame(SECONDS / 2))]
        else:
            views = [self.camera.focus(light) for light in _scene_frames(scene)]
        make = {"real": self._film, "fake": self._generate}
        for label, path in missing.items():
            pictures = make[label](views)
            if self.stream == "image":
                write_image(next(pictures), path)
            else:
                write_clip(pictures, path)

    def _film(self, views: list[np.ndarray]) -> Iterator[np.ndarray]:
        rng = self._rng(_CAMERA)
        amplification = float(np.exp(rng.uniform(-0.9, 0.9)))
        return (self.camera.shoot(view, amplification, rng) for view in views)

    def _generate(self, views: list[np.ndarray]) -> Iterator[np.ndarray]:
        decoder = self.generator.decoder(self._rng(_GENERATOR))
        return (decoder.decode(self.camera.ideal_picture(view)) for view in views)

    def _rng(self, role: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, _STREAMS.index(self.stream), self.number, role])


def _scene_frames(scene: Scene) -> Iterator[np.ndarray]:
    return (scene.frame(index / FPS) for index in range(SECONDS * FPS))


def make_pairs(folder: Path, stream: Stream, count: int, seed: int) -> list[ScenePair]:
    """Return the pairs that give ``count`` files."""
    return [ScenePair(folder, stream, number, seed, real_only=2 * number + 1 == count) for number in range((count + 1) // 2)]
