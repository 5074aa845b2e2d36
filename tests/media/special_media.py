"""Write files that a viewer shows otherwise than they are stored."""

import io
import json
import struct
import zlib
from pathlib import Path

import av
from PIL import Image

from tests.media.numbered_media import run_ffmpeg_command

CFA, RGB = 32803, 2
_SHORT, _LONG = 3, 4
HDR = {"PQ": ("smpte2084", 16), "HLG": ("arib-std-b67", 18)}
PATTERN = "testsrc2=size=160x120:rate=25"


def write_preview_tiff(path: Path, full: Image.Image, preview: Image.Image, *, photometric: int = RGB, orientation: int = 1) -> None:
    """Write a TIFF as cameras do: a small preview in the first directory, the full picture in a sub-directory of it."""
    pictures = [picture.tobytes() for picture in (preview, full)]
    offsets = [8, 8 + len(pictures[0])]
    first_at = offsets[1] + len(pictures[1])
    head = _directory(preview.size, offsets[0], first_at, reduced=1, photometric=RGB, more=[(274, _SHORT, orientation), (330, _LONG, 0)])
    sub_at = first_at + len(head)
    head = _directory(
        preview.size, offsets[0], first_at, reduced=1, photometric=RGB, more=[(274, _SHORT, orientation), (330, _LONG, sub_at)]
    )
    sub = _directory(full.size, offsets[1], sub_at, reduced=0, photometric=photometric, more=[])
    path.write_bytes(b"II*\0" + struct.pack("<I", first_at) + b"".join(pictures) + head + sub)


def _directory(size: tuple[int, int], data_at: int, at: int, *, reduced: int, photometric: int, more: list[tuple[int, int, int]]) -> bytes:
    width, height = size
    entries = [(254, _LONG, reduced), (256, _LONG, width), (257, _LONG, height), (259, _SHORT, 1), (262, _SHORT, photometric)]
    entries += [(273, _LONG, data_at), (277, _SHORT, 3), (278, _LONG, height), (279, _LONG, 3 * width * height), *more]
    bits_at = at + 2 + 12 * (len(entries) + 2) + 4
    packed = [struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries]
    packed += [struct.pack("<HHII", 258, _SHORT, 3, bits_at), struct.pack("<HHI4s", 271, 2, 4, b"Nik\0")]
    packed.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    return struct.pack("<H", len(packed)) + b"".join(packed) + struct.pack("<I", 0) + struct.pack("<HHH", 8, 8, 8)


def add_png_chunks(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG with more chunks after its header."""
    added = b"".join(len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4) for kind, body in chunks)
    return data[:33] + added + data[33:]


def encode_png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def make_workflow(nodes: int) -> str:
    """Return a workflow as ComfyUI writes it: 28 bytes per node."""
    return json.dumps({"last_node_id": nodes, "nodes": [{"id": number, "type": "KSampler"} for number in range(nodes)]})


def write_interlaced(path: Path) -> None:
    """Write one second of interlaced video, marked so, in which everything moves."""
    moving = [*_lavfi("testsrc2=size=160x120:rate=50:duration=1,scroll=h=0.03"), "-vf", "interlace"]
    run_ffmpeg_command(*moving, "-c:v", "libx264", "-crf", "10", "-bf", "0", "-flags", "+ildct+ilme", "-x264opts", "tff=1", str(path))


def write_hdr(path: Path, kind: str) -> None:
    """Write a test picture as HDR video, its white at 203 cd/m2."""
    transfer, _ = HDR[kind]
    to_hdr = f"format=gbrpf32le,zscale=tin=iec61966-2-1:pin=bt709:t={transfer}:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv444p10le"
    tags = ["-color_trc", transfer, "-color_primaries", "bt2020", "-colorspace", "bt2020nc"]
    run_ffmpeg_command(*_lavfi(f"{PATTERN}:duration=0.4"), "-vf", to_hdr, "-c:v", "libx264", "-qp", "1", *tags, str(path))


def write_two_tracks(path: Path, default: int) -> None:
    """Write a video with a small and a larger track; ``default`` is the number of the one that players show, or -1 for none."""
    tracks = [*_lavfi("testsrc2=size=64x48:rate=25:duration=0.4"), *_lavfi(f"{PATTERN}:duration=0.4"), "-map", "0", "-map", "1"]
    marks = [part for number in (0, 1) for part in (f"-disposition:v:{number}", "default" if number == default else "0")]
    run_ffmpeg_command(*tracks, "-c:v", "libx264", *marks, "-default_mode", "passthrough", str(path))


def damage_b_frame(source: Path, target: Path, part: str, *, reference: bool) -> None:
    """Overwrite a part, the header or the middle, of a B-frame of an H.264 video.

    Args:
        source: the video.
        target: the damaged copy.
        part: ``header``, so that the frame is lost, or ``middle``, so that it is shown with errors.
        reference: whether other frames are predicted from the frame.
    """
    with av.open(str(source)) as opened:
        packets = [(packet.pos, bytes(packet)) for packet in opened.demux(opened.streams.video[0]) if packet.size]
    data = bytearray(source.read_bytes())
    place, packet = max(
        ((pos, body) for pos, body in packets[60:100] if bool(body[4] & 0x60) == reference), key=lambda found: len(found[1])
    )
    start = {"header": 5, "middle": len(packet) // 2}[part]
    length = {"header": 6, "middle": min(40, len(packet) // 4)}[part]
    data[place + start : place + start + length] = bytes((37 * number + 11) & 255 for number in range(length))
    target.write_bytes(data)


def _lavfi(source: str) -> list[str]:
    return ["-f", "lavfi", "-i", source]
