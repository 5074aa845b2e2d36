"""One encoding for all videos, by one FFmpeg process with one thread: equal input gives equal bytes."""

import tempfile
from pathlib import Path
from typing import Any

from bonafide.media.decode import pictures_of
from bonafide.media.ffmpeg import run
from bonafide.media.probe import MediaFacts
from bonafide.media.stream import read_stream
from bonafide.params import Cure, Limits

# Nothing but pictures: no sound, no tags, no chapters, and no word of the program that wrote the file.
_BARE: dict[str, Any] = {"an": None, "sn": None, "dn": None, "map_metadata": -1, "map_chapters": -1}
_EXACT: dict[str, Any] = {"fflags": "+bitexact", "flags:v": "+bitexact", "threads": 1}
_H264: dict[str, Any] = {"vcodec": "libx264", "preset": "veryfast", "f": "mp4"}
_LOSSLESS: dict[str, Any] = {"vcodec": "ffv1", "level": 3, "f": "matroska"}
_EVEN = "trunc({side}/2)*2"  # 4:2:0 has no odd sides


def reencode_video(source: Path, facts: MediaFacts, cure: Cure, limits: Limits, target: Path) -> None:
    """Write the pictures of ``source``, upright, cropped and encoded as ``cure`` says, to ``target``.

    Args:
        source: the video; only read.
        facts: what ``probe`` found.
        cure: H.264 (``crf``, ``fps``, 4:2:0) where it encodes anew; where it only crops, FFV1, which loses nothing.
        limits: what FFmpeg may cost.
        target: the new file, written in place.

    Raises:
        UndecodableError: the video is damaged.
        OverLimitError: it takes more than ``limits`` allows.
    """
    stream = read_stream(source, facts.container, limits)
    pictures = _shaped(pictures_of(source, facts.container, stream.index, limits), facts, cure)
    encoding = {**_H264, "crf": cure.crf} if cure.reencode else _LOSSLESS
    with tempfile.TemporaryDirectory() as folder:  # FFmpeg looks at names; the target's says nothing
        made = Path(folder) / "cured"
        run(pictures.output(f"file:{made}", fps_mode="passthrough", **encoding, **_BARE, **_EXACT), limits, source)
        target.write_bytes(made.read_bytes())


def _shaped(pictures: Any, facts: MediaFacts, cure: Cure) -> Any:
    """Return the filters: begin at 0 s, one size throughout, the square in the middle, the rate, the length, the pixel format."""
    shaped = pictures.filter("setpts", "PTS-STARTPTS").filter("scale", facts.width, facts.height)
    if cure.crop.video:
        shaped = shaped.filter("crop", cure.crop.video, cure.crop.video)
    elif cure.reencode:
        shaped = shaped.filter("crop", _EVEN.format(side="iw"), _EVEN.format(side="ih"))
    if cure.reencode and cure.fps:
        shaped = shaped.filter("fps", cure.fps)
    if cure.seconds:
        shaped = shaped.filter("trim", duration=cure.seconds)
    return shaped.filter("format", "yuv420p") if cure.reencode else shaped
