"""The sections of params.yaml that decide the bytes of a frame, from the media file to the views that a training sees.

They are apart from ``sections.py``, so that a change of the others recomputes no frame and no activation (``caching/code_digest.py``).
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A section of the parameters: unknown keys are refused, and values cannot be changed after they are read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limits(Section):
    """What one file may cost: bytes, pixels, seconds, MiB of memory. They belong to the machine, not to a detector."""

    max_bytes: int = Field(default=4_000_000_000, gt=0)
    max_pixels: int = Field(default=50_000_000, gt=0)
    max_duration_s: float = Field(default=14_400.0, gt=0)
    timeout_s: float = Field(default=600.0, gt=0)
    max_memory_mb: int = Field(default=2048, ge=256)


class Sampling(Section):
    """Which frames of a video are sampled: exactly one of the three rules."""

    fps: float | None = Field(default=None, gt=0)
    every: int | None = Field(default=None, ge=1)
    uniform: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check_one_rule(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"set exactly one of fps, every, uniform (given: {sorted(self.model_fields_set) or 'none'})")
        return self


class ExtractParams(Section):
    """How frames are extracted from a video."""

    sampling: Sampling
    max_frames: int = Field(ge=1, le=4096)
    encoding: Literal["png", "jpeg"]


class CleanParams(Section):
    """The square that the model sees of a frame, and which frames are dropped."""

    size: int = Field(ge=32, le=1024)
    fit: Literal["crop", "pad", "stretch"]
    min_std: float = Field(ge=0, le=255)
    min_sharpness: float = Field(ge=0)
    duplicate_distance: int = Field(ge=-1, le=64)


class Crop(Section):
    """The side of the square cut from the middle of each picture, by kind, pixels; 0 keeps the whole picture."""

    image: int = Field(ge=0, le=4096, multiple_of=2)
    video: int = Field(ge=0, le=4096, multiple_of=2)

    def side_for(self, kind: Literal["image", "video"]) -> int:
        """Return the side for a kind of media."""
        return self.image if kind == "image" else self.video


class HarmonizeParams(Section):
    """Harmonization: removing differences of file format, size and length between the media of both classes."""

    crop: Crop
    seconds: float = Field(ge=0)
    reencode: bool
    crf: int = Field(ge=0, le=51)
    jpeg_quality: int = Field(ge=1, le=100)
    fps: float = Field(ge=0, le=120)
    match: tuple[Literal["pixels", "duration_s"], ...]

    @property
    def rewrites_files(self) -> bool:
        """Whether harmonization writes new files; otherwise it only leaves items out, or does nothing."""
        return self.reencode or self.crop.image > 0 or self.crop.video > 0 or self.seconds > 0


class AugmentParams(Section):
    """Random augmentation of training frames."""

    flip: bool
    rotation: float = Field(ge=0, le=0.5)
    zoom: float = Field(ge=0, le=0.5)
    brightness: Share
    contrast: Share
