"""A detector's first files take seconds, as its network is prepared then; so that nobody waits for it, they are test pictures."""

import tempfile
from pathlib import Path

import ffmpeg

from bonafide.detection.detector import Detector
from bonafide.media.ffmpeg import executable

_TEST_PICTURE = "testsrc2=size=320x320:rate=8:duration=2"  # of FFmpeg: a moving pattern


def exercise(detector: Detector) -> None:
    """Have a detector answer a short clip and a still image, with their pictures; what it says of them is of no interest."""
    with tempfile.TemporaryDirectory() as folder:
        clip, still = Path(folder) / "clip.mp4", Path(folder) / "still.png"
        _write(clip, vcodec="mpeg4")
        _write(still, vframes=1)
        for file in (clip, still):
            detector.explain(detector.detect(file), Path(folder))


def _write(target: Path, **options: str | int) -> None:
    ffmpeg.input(_TEST_PICTURE, f="lavfi").output(str(target), loglevel="error", **options).run(cmd=executable(), quiet=True)
