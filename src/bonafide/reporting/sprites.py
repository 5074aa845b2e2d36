"""Single frames out of the two sprites that lie beside an answer, as pictures for a page."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from bonafide.metadata.detections import Detection, Tiles

_QUALITY = 88


@dataclass(frozen=True)
class Pair:
    """One frame.

    Attributes:
        time_s: when it is shown.
        frame: the frame as the detector saw it, a data URI.
        heat: the same with the evidence over it, a data URI.
    """

    time_s: float
    frame: str
    heat: str


class Sprites:
    """The pictures of an answer.

    Args:
        detection: the answer, with its tiles.
        frames: the bytes of ``frames.jpg``.
        heat: the bytes of ``heat.jpg``.
    """

    def __init__(self, detection: Detection, frames: bytes, heat: bytes) -> None:
        assert detection.tiles is not None
        self._times = [frame.time_s for frame in detection.frames]
        self._tiles: Tiles = detection.tiles
        self._frames, self._heat = (Image.open(io.BytesIO(data)) for data in (frames, heat))

    def near(self, time_s: float) -> Pair:
        """Return the shown frame that is nearest to a time."""
        times = [self._times[place] for place in self._tiles.shown]
        at = min(range(len(times)), key=lambda place: abs(times[place] - time_s))
        return Pair(times[at], self._cut(self._frames, at), self._cut(self._heat, at))

    def _cut(self, sheet: Image.Image, at: int) -> str:
        left, upper = self._tiles.corner(at)
        data = io.BytesIO()
        sheet.crop((left, upper, left + self._tiles.size, upper + self._tiles.size)).save(data, "JPEG", quality=_QUALITY)
        return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
