"""The unit of the demo set: one scene made both ways, as a clip or an image. Each depends on the seed and its own number only."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bonafide.demo.camera import CAMERAS, Camera
from bonafide.demo.encode import FPS, SECONDS, write_clip, write_image
from bonafide.demo.generator import GENERATORS, Generator
from bonafide.demo.scenes import Scene, make_scene

Stream = Literal["clip", "image", "unseen"]
_STREAMS: tuple[Stream, ...] = ("clip", "image", "unseen")  # scenes of one never occur in another: the stream is part of their seed
_SCENE, _CAMERA, _GENERATOR = range(3)


@dataclass(frozen=True)
class Pair:
    """One scene and where its two renderings lie.

    Attributes:
        folder: of the set.
        stream: what it is for.
        number: of the scene within the stream.
        seed: of the set.
        alone: the scene is rendered as real only, because an odd number was asked for.
    """

    folder: Path
    stream: Stream
    number: int
    seed: int
    alone: bool = False

    @property
    def camera(self) -> Camera:
        """The camera that films the scene; the turns are such that every camera meets every generator."""
        return CAMERAS[(self.number + self.number // len(GENERATORS)) % len(CAMERAS)]

    @property
    def generator(self) -> Generator:
        """The generator that makes the scene."""
        return GENERATORS[self.number % len(GENERATORS)]

    @property
    def group(self) -> str:
        """What the two renderings have in common."""
        return f"{self.stream}_{self.number:03d}"

    @property
    def files(self) -> dict[str, Path]:
        """The file of each label. In a labelled set it lies in the folder of its camera or generator."""
        maker = {"real": self.camera.name, "fake": self.generator.name}
        labels = ("real",) if self.alone else ("real", "fake")
        name = f"{self.group}.{'jpg' if self.stream == 'image' else 'mp4'}"
        return {label: self.folder / label / ("" if self.stream == "unseen" else maker[label]) / name for label in labels}

    def missing(self) -> dict[str, Path]:
        """The files that are not there yet."""
        return {label: path for label, path in self.files.items() if not path.exists()}

    def render(self) -> None:
        """Write the missing files. Raises SetupError where FFmpeg can't write H.264."""
        missing = self.missing()
        scene = make_scene(self._rng(_SCENE), SECONDS)
        if self.stream == "image":
            views = [self.camera.focus(scene.frame(SECONDS / 2))]
        else:
            views = [self.camera.focus(light) for light in _filmed(scene)]
        make = {"real": self._shot, "fake": self._generated}
        for label, path in missing.items():
            pictures = make[label](views)
            if self.stream == "image":
                write_image(next(pictures), path)
            else:
                write_clip(pictures, path)

    def _shot(self, views: list[np.ndarray]) -> Iterator[np.ndarray]:
        rng = self._rng(_CAMERA)
        amplification = float(np.exp(rng.uniform(-0.9, 0.9)))
        return (self.camera.shoot(view, amplification, rng) for view in views)

    def _generated(self, views: list[np.ndarray]) -> Iterator[np.ndarray]:
        decoder = self.generator.decoder(self._rng(_GENERATOR))
        return (decoder.decode(self.camera.see(view)) for view in views)

    def _rng(self, role: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, _STREAMS.index(self.stream), self.number, role])


def _filmed(scene: Scene) -> Iterator[np.ndarray]:
    return (scene.frame(index / FPS) for index in range(SECONDS * FPS))


def pairs(folder: Path, stream: Stream, count: int, seed: int) -> list[Pair]:
    """Return the pairs that make ``count`` files."""
    return [Pair(folder, stream, number, seed, alone=2 * number + 1 == count) for number in range((count + 1) // 2)]
