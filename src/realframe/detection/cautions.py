"""Find the cautions of a detection: why its verdict may be less reliable than the evaluation states.

The file is slightly damaged, tiny, heavily compressed, has few frames, or was converted to what a player shows; or a reviewer let the
detector judge a kind that it would not judge by itself. A new caution also needs its code in ``Caution``
(``store/detection_documents.py``) and its title in ``CAUTION_TITLES`` (``presentation/wording.py``).
"""

from collections.abc import Iterator

from realframe.config import Params
from realframe.media.probe import MediaFacts
from realframe.store.detection_documents import Abstention, Caution

_LOW_JPEG_QUALITY = 50
_FEW_FRAMES = 2

# Bits per pixel and frame below which a video counts as heavily compressed. For H.264 it is half of what K. Amerasinghe ("H.264 for the
# rest of us", Adobe 2010) gives as enough where little moves, 0.07. HEVC and VP9 need about half of H.264's bits for equal quality (Ohm
# et al., "Comparison of the coding efficiency of video coding standards", IEEE TCSVT 2012), AV1 about a third less again; the older ones
# twice as many. These are rules of thumb: a picture in which nothing moves looks well with less. Codecs without loss have no limit.
_H264_BITS = 0.035
_MIN_BITS = {
    "h264": _H264_BITS,
    "vp8": _H264_BITS,
    "hevc": _H264_BITS / 2,
    "vp9": _H264_BITS / 2,
    "av1": _H264_BITS / 3,
    "mpeg4": 2 * _H264_BITS,
    "mpeg2video": 2 * _H264_BITS,
}


def make_override_caution(kind: str, override: str, overridden: Abstention) -> Caution:
    """Return the caution of a file of a kind that is judged only because a reviewer decided so.

    Args:
        kind: of the file.
        override: the reason of the reviewer.
        overridden: why there would be no verdict.
    """
    message = f"A reviewer decided that {kind}s are judged all the same: {override.rstrip('.')}. Without that decision: {overridden.reason}"
    return Caution(code="competence.overridden", message=message)


def find_quality_cautions(facts: MediaFacts, frame_count: int, params: Params, damaged_share: float | None = None) -> Iterator[Caution]:
    """Yield the cautions about the quality of a file.

    Args:
        facts: of the file as it was submitted.
        frame_count: scored frames.
        params: the parameters of the detector.
        damaged_share: of its pixels or frames; 0 where only the end of the file is missing, None where no damage is found.
    """
    if damaged_share is not None:
        yield Caution(code="quality.damaged", message=_describe_damage(facts, damaged_share))
    yield from _find_conversion_cautions(facts)
    if side := _enlarged_side(facts, params):
        size = f"The file has only {facts.width} x {facts.height} pixels and was enlarged to the detector's {params.clean.size}"
        yield Caution(code="quality.tiny", message=f"{size}: the traces of a generator may be lost at {side} pixels.")
    if compression := _heavy_compression(facts):
        message = f"The file is heavily compressed ({compression}), which removes the traces of a generator."
        yield Caution(code="quality.compressed", message=message)
    if facts.kind == "video" and frame_count <= _FEW_FRAMES:
        usable = "one frame of this video is" if frame_count == 1 else f"{frame_count} frames of this video are"
        message = f"Only {usable} usable, so the verdict is based on few frames and less reliable."
        yield Caution(code="quality.few-frames", message=message)


def _find_conversion_cautions(facts: MediaFacts) -> Iterator[Caution]:
    """Yield the cautions about what differs between the bytes of a file and the pictures that were scored."""
    if facts.extra_bytes:
        message = (
            f"{facts.extra_bytes:,} bytes follow the end of the video, such as a tag or a footer. Players ignore them; so did the detector."
        )
        yield Caution(code="quality.extra-data", message=message)
    if facts.picture_count > 1:
        parts = "pictures, of which only the first" if facts.kind == "image" else "video tracks, of which only the one that players show"
        yield Caution(code="quality.more-pictures", message=f"The file holds {facts.picture_count:,} {parts} was scored.")
    if facts.is_interlaced:
        message = "The video is interlaced. Its frames were deinterlaced, as players do, which changes fine detail."
        yield Caution(code="quality.interlaced", message=message)
    if facts.hdr:
        colors = f"The video has high dynamic range ({facts.hdr}) and was converted to ordinary colors, as players do for ordinary screens."
        yield Caution(code="quality.hdr", message=f"{colors} This changes fine detail.")


def _describe_damage(facts: MediaFacts, damaged_share: float) -> str:
    if not damaged_share:
        return "The file is damaged, but all its pixels are there. It may be an incomplete copy."
    parts = "pixels" if facts.kind == "image" else "frames"
    return f"The file is damaged: up to {max(damaged_share, 0.0001):.2%} of its {parts} are wrong or missing, and they were scored too."


def _enlarged_side(facts: MediaFacts, params: Params) -> int:
    """Return the side that is enlarged, in pixels; 0 where none is, or where every file is cropped to one size first."""
    if params.harmonize.crop.side_for(facts.kind):
        return 0
    side = max(facts.width, facts.height) if params.clean.fit == "pad" else min(facts.width, facts.height)
    return side if side < params.clean.size else 0


def _heavy_compression(facts: MediaFacts) -> str:
    """Describe the compression of a file; empty where it is not heavy."""
    if facts.kind == "image":
        return f"JPEG of quality {facts.jpeg_quality}" if 0 < facts.jpeg_quality < _LOW_JPEG_QUALITY else ""
    bits = 8 * facts.bytes / (facts.frames * facts.width * facts.height)
    return f"{bits:.3f} bits per pixel in {facts.codec}" if bits < _MIN_BITS.get(facts.codec, 0.0) else ""
