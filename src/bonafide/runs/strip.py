"""A look at the clean frames of a media item: a few of them side by side in one small picture."""

import io
from pathlib import Path

from PIL import Image

from bonafide.media.sampling import evenly
from bonafide.media.shards import open_shard

FRAMES = 4
SIDE = 112
_QUALITY = 80


def strip(shard: Path) -> bytes:
    """Return a JPEG of at most ``FRAMES`` frames, evenly spaced in time, each ``SIDE`` pixels square, from left to right.

    Args:
        shard: of an item's clean frames, one or more.
    """
    with open_shard(shard) as opened:
        frames = [data for _, data in opened.frames()]
    chosen = evenly(range(len(frames)), FRAMES)
    sheet = Image.new("RGB", (SIDE * len(chosen), SIDE))
    for place, index in enumerate(chosen):
        with Image.open(io.BytesIO(frames[index])) as picture:
            sheet.paste(picture.convert("RGB").resize((SIDE, SIDE)), (SIDE * place, 0))
    written = io.BytesIO()
    sheet.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
