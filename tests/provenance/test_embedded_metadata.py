"""Test the traces of programs and cameras in metadata, written here by Pillow and FFmpeg."""

import subprocess
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from realframe.media.ffmpeg import ffmpeg_executable
from realframe.provenance.origin import Trace
from realframe.provenance.origin_reader import read_provenance

NOTHING = "The file contains no information about its origin."
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description {}>{}</rdf:Description></rdf:RDF></x:xmpmeta>'
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TAGS = ("-movflags", "use_metadata_tags")
COMFY = '{"3": {"inputs": {"seed": 1}, "class_type": "KSampler"}}'


def png(path: Path, picture: Image.Image, *, zipped: bool = False, **texts: str) -> Path:
    chunks = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, value, zip=zipped)
    picture.save(path, pnginfo=chunks)
    return path


def texts_moved_to_the_end(path: Path) -> None:
    """Put the text of a PNG after its pixels, where some programs write it."""
    data = path.read_bytes()
    start, pixels, end = data.index(b"tEXt") - 4, data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    path.write_bytes(data[:start] + data[pixels:end] + data[start:pixels] + data[end:])


def tagged(source: Path, target: Path, *tags: str, options: tuple[str, ...] = ()) -> Path:
    arguments = [argument for tag in tags for argument in ("-metadata", tag)]
    subprocess.run([ffmpeg_executable(), "-v", "error", "-i", str(source), "-c", "copy", *arguments, *options, str(target)], check=True)
    return target


@pytest.mark.parametrize(
    ("key", "value", "tool"),
    [
        ("parameters", "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1", "Stable Diffusion web UI"),
        ("prompt", COMFY, "ComfyUI"),
        ("workflow", '{"last_node_id": 9, "nodes": []}', "ComfyUI"),
        ("invokeai_metadata", '{"positive_prompt": "a cat"}', "InvokeAI"),
        ("sd-metadata", '{"image": {}}', "InvokeAI"),
        ("Dream", '"a cat" -s 50', "InvokeAI"),
        ("parameters", '{"sui_image_params": {"prompt": "a cat"}}', "SwarmUI"),
        ("fooocus_scheme", "fooocus", "Fooocus"),
        ("Software", "NovelAI", "NovelAI"),
        ("Source", "Stable Diffusion XL 9CC2F394", "Stable Diffusion"),
        ("Comment", '{"prompt": "a cat", "request_type": "PromptGenerateRequest"}', "NovelAI"),
        ("Title", "AI generated image", ""),
        ("Description", "a cat --v 6.0 Job ID: 1b4e28ba-2fa1-11d2-883f-0016d3cca427", "Midjourney"),
        ("AIGC", '{"Label":"1","ContentProducer":"somebody"}', "AIGC label"),
        ("comment", "Created with Adobe Firefly", "Adobe Firefly"),
    ],
)
@pytest.mark.parametrize("how", ["plain", "zipped", "late"])
def test_generators_leave_text_in_png(picture: Image.Image, tmp_path: Path, key: str, value: str, tool: str, how: str) -> None:
    file = png(tmp_path / "made.png", picture, zipped=how == "zipped", **{key: value})
    if how == "late":
        texts_moved_to_the_end(file)
    result = read_provenance(file)
    assert result.traces == (Trace(f'PNG text "{key}"', "ai-generated", " ".join(value.split()), tool),)
    assert "mentions AI" in result.sentence
    assert "Anyone can write" in result.sentence


@pytest.mark.parametrize(
    "caption",
    [
        "The chief of OpenAI speaks in Paris about ChatGPT",
        "Sora and her Pika on the runway, Luma in the flux of the Kling",
        "A visitor looks at AI-generated images in a museum",
        "Dream of a midjourney; steps: 3 to the sampler",
    ],
)
def test_a_caption_that_mentions_ai_is_no_trace(picture: Image.Image, tmp_path: Path, caption: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = caption
    picture.save(tmp_path / "photo.jpg", exif=exif, comment=caption.encode())
    assert read_provenance(tmp_path / "photo.jpg").traces == ()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "heic", "avif", "tif"])
def test_a_camera_is_named_by_exif(picture: Image.Image, tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS R5"
    picture.save(tmp_path / f"photo.{suffix}", exif=exif)
    result = read_provenance(tmp_path / f"photo.{suffix}")
    assert {(t.location, t.origin, t.tool) for t in result.traces} >= {
        ("EXIF Make", "camera", "Canon"),
        ("EXIF Model", "camera", "Canon EOS R5"),
    }
    assert result.sentence == "Its metadata names a camera (Canon, Canon EOS R5). Anyone can write, copy or remove such data."


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_parameters_in_the_user_comment_of_a_jpeg(picture: Image.Image, tmp_path: Path, encoding: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "a cat\nSteps: 30, Sampler: DPM++ 2M".encode(encoding)
    picture.save(tmp_path / "made.jpg", exif=exif)
    assert read_provenance(tmp_path / "made.jpg").traces == (
        Trace("EXIF UserComment", "ai-generated", "a cat Steps: 30, Sampler: DPM++ 2M", "Stable Diffusion web UI"),
    )


@pytest.mark.parametrize(
    ("attributes", "elements", "expected"),
    [
        (f'Iptc4xmpExt:DigitalSourceType="{IPTC}trainedAlgorithmicMedia"', "", ("XMP DigitalSourceType", "ai-generated", "")),
        (
            "",
            f"<Iptc4xmpExt:DigitalSourceType>{IPTC}digitalCapture</Iptc4xmpExt:DigitalSourceType>",
            ("XMP DigitalSourceType", "camera", ""),
        ),
        ("", f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{IPTC}composite"/>', ("XMP DigitalSourceType", "edited", "")),
        ("xmp:CreatorTool='Adobe Photoshop 26.0'", "", ("XMP CreatorTool", "edited", "Adobe Photoshop")),
        ('xmp:CreatorTool="Adobe Firefly"', "", ("XMP CreatorTool", "ai-generated", "Adobe Firefly")),
        ('photoshop:Credit="Made with Google AI"', "", ("XMP Credit", "ai-generated", "Google AI")),
        ('Iptc4xmpExt:AISystemUsed="Somebody&apos;s Painter"', "", ("XMP AISystemUsed", "ai-generated", "Somebody's Painter")),
        ("", '<TC260:AIGC>{"Label":"2"}</TC260:AIGC>', ("XMP AIGC", "ai-generated", "AIGC label")),
        (
            "",
            '<dc:description><rdf:Alt> <rdf:li xml:lang="x-default">Generated with AI</rdf:li></rdf:Alt></dc:description>',
            ("XMP description", "ai-generated", ""),
        ),
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_xmp(picture: Image.Image, tmp_path: Path, attributes: str, elements: str, expected: tuple[str, ...], suffix: str) -> None:
    packet, path = XMP.format(attributes, elements), tmp_path / f"made.{suffix}"
    if suffix == "png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", packet)
        picture.save(path, pnginfo=chunks)
    else:
        picture.save(path, xmp=packet.encode())
    assert [(trace.location, trace.origin, trace.tool) for trace in read_provenance(path).traces] == [expected]


def test_iptc_credit(picture: Image.Image, tmp_path: Path) -> None:
    credit = b"Made with Google AI"
    record = b"\x1c\x02\x6e" + len(credit).to_bytes(2, "big") + credit
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[33723] = record
    tags.tagtype[33723] = 7
    picture.save(tmp_path / "made.tif", tiffinfo=tags)
    assert read_provenance(tmp_path / "made.tif").traces == (Trace("IPTC credit", "ai-generated", "Made with Google AI", "Google AI"),)


@pytest.mark.parametrize(
    ("suffix", "tag", "options", "expected"),
    [
        ("mp4", "encoding_tool=Sora", (), ("encoder tag", "ai-generated", "OpenAI Sora")),
        ("mp4", "comment=Generated by Runway Gen-3", (), ("comment tag", "ai-generated", "Runway")),
        ("mp4", 'AIGC={"Label":"1"}', TAGS, ("AIGC tag", "ai-generated", "AIGC label")),
        ("mov", "com.apple.quicktime.make=Apple", TAGS, ("com.apple.quicktime.make tag", "camera", "Apple")),
        (
            "mov",
            "com.apple.quicktime.software=CapCut 1.0",
            TAGS,
            ("com.apple.quicktime.software tag", "edited", "CapCut"),
        ),
        ("mkv", f"prompt={COMFY}", (), ("PROMPT tag", "ai-generated", "ComfyUI")),
    ],
)
def test_tags_of_videos(
    bare: dict[str, Path], tmp_path: Path, suffix: str, tag: str, options: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    file = tagged(bare["mp4"], tmp_path / f"made.{suffix}", tag, options=options)
    assert expected in [(trace.location, trace.origin, trace.tool) for trace in read_provenance(file).traces]


def test_an_encoder_shows_no_origin(bare: dict[str, Path], tmp_path: Path) -> None:
    result = read_provenance(tagged(bare["mp4"], tmp_path / "copied.mp4"))
    assert {(trace.location, trace.origin, trace.tool) for trace in result.traces} == {("encoder tag", "unknown", "FFmpeg")}
    assert result.sentence == "Its metadata names neither a camera nor AI (FFmpeg). Anyone can write, copy or remove such data."


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "heic", "avif", "tif", "gif"])
def test_a_file_without_metadata_has_no_traces(bare: dict[str, Path], suffix: str) -> None:
    result = read_provenance(bare[suffix])
    assert (result.credentials, result.traces) == (None, ())
    assert result.sentence.startswith(NOTHING)


def test_traces_of_ai_come_before_a_camera_and_are_kept_if_there_are_too_many(picture: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    chunks = PngImagePlugin.PngInfo()
    for place in range(60):
        chunks.add_text("Software", f"program {place}")
        chunks.add_text(f"{place}", "Steps: 20, Sampler: Euler")
    picture.save(tmp_path / "made.png", pnginfo=chunks, exif=exif)
    result = read_provenance(tmp_path / "made.png")
    assert len(result.traces) == 20
    assert {trace.origin for trace in result.traces} == {"ai-generated"}
    assert "mentions AI (Stable Diffusion web UI)" in result.sentence


def test_values_are_safe_to_show(picture: Image.Image, tmp_path: Path) -> None:
    nasty = "Photoshop \x1b[31m\u202e\r\n<script>" + "x" * 5000
    result = read_provenance(png(tmp_path / "made.png", picture, Software=nasty)).traces[0]
    assert result.value.startswith("Photoshop [31m <script>xxx")
    assert len(result.value) == 200
    assert result.value.isprintable()
    assert result.tool == "Adobe Photoshop"


def test_broken_exif_does_not_hide_other_metadata(picture: Image.Image, tmp_path: Path) -> None:
    file = png(tmp_path / "odd.png", picture, Software="GIMP 3")
    texts_moved_to_the_end(file)
    data, broken = file.read_bytes(), b"no EXIF at all"
    chunk = len(broken).to_bytes(4, "big") + b"eXIf" + broken + zlib.crc32(b"eXIf" + broken).to_bytes(4, "big")
    file.write_bytes(data[:33] + chunk + data[33:])
    assert read_provenance(file).traces == (Trace('PNG text "Software"', "edited", "GIMP 3", "GIMP"),)


def test_the_sentence_uses_plain_words(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "made.jpg", xmp=f'<a e:DigitalSourceType="{IPTC}trainedAlgorithmicMedia"/>'.encode())
    result = read_provenance(tmp_path / "made.jpg")
    assert result.sentence == "Its metadata mentions AI (it was made by AI). Anyone can write, copy or remove such data."
