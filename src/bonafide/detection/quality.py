"""What makes an answer worth less because of the file's quality."""

from collections.abc import Iterator

from bonafide.media.probe import MediaFacts
from bonafide.metadata.detections import Caution
from bonafide.params import Params

_JPEG_QUALITY = 50
_FEW = 2  # frames

# Bits per pixel and frame below which a video counts as heavily compressed. For H.264 it is half of what K. Amerasinghe ("H.264 for the
# rest of us", Adobe 2010) gives as enough where little moves, 0.07. HEVC and VP9 need about half of H.264's bits for equal quality (Ohm
# et al., "Comparison of the coding efficiency of video coding standards", IEEE TCSVT 2012), AV1 about a third less again; the older ones
# twice as many. These are rules of thumb: a picture in which nothing moves looks well with less. Codecs without loss have no limit.
_H264 = 0.035
_BITS = {
    "h264": _H264,
    "vp8": _H264,
    "hevc": _H264 / 2,
    "vp9": _H264 / 2,
    "av1": _H264 / 3,
    "mpeg4": 2 * _H264,
    "mpeg2video": 2 * _H264,
}


def cautions_of(facts: MediaFacts, looked_at: int, run: Params) -> Iterator[Caution]:
    """Yield what is to be said of a file's quality.

    Args:
        facts: of the file as it was given.
        looked_at: how many frames were looked at.
        run: the parameters of the detector.
    """
    if side := _enlarged(facts, run):
        said = f"It is only {facts.width} x {facts.height} pixels and was enlarged to the {run.clean.size} that the detector looks at"
        yield Caution(code="quality.tiny", message=f"{said}: the traces of a generator may be lost at {side} pixels.")
    if why := _compressed(facts):
        yield Caution(code="quality.compressed", message=f"It is heavily compressed ({why}), which wipes out the traces of a generator.")
    if facts.kind == "video" and looked_at <= _FEW:
        frames = "One frame" if looked_at == 1 else f"{looked_at} frames"
        yield Caution(code="quality.few-frames", message=f"{frames} of this video could be used, so that the verdict rests on very little.")


def _enlarged(facts: MediaFacts, run: Params) -> int:
    """Return the side that was enlarged, in pixels; 0 where none was, or where every file is cropped to one size before."""
    if run.cure.crop.of(facts.kind):
        return 0
    side = max(facts.width, facts.height) if run.clean.fit == "pad" else min(facts.width, facts.height)
    return side if side < run.clean.size else 0


def _compressed(facts: MediaFacts) -> str:
    if facts.kind == "image":
        return f"JPEG of quality {facts.jpeg_quality}" if 0 < facts.jpeg_quality < _JPEG_QUALITY else ""
    bits = 8 * facts.bytes / (facts.frames * facts.width * facts.height)
    return f"{bits:.3f} bits per pixel in {facts.codec}" if bits < _BITS.get(facts.codec, 0.0) else ""
