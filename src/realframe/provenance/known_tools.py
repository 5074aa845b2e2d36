"""List the programs and cameras that write their names into files, and the origin that each shows. To add a tool, add it to a table."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from realframe.provenance.origin import OriginKind

FieldKind = Literal["program", "maker", "prose", "settings", "label", "system"]
"""The content of a metadata field: ``program`` the name of software; ``maker`` the make or model of a camera; ``prose`` text that people
may have written; ``settings`` data that a program stores for itself; ``label`` the label of GB 45438; ``system`` the AI that was used."""


@dataclass(frozen=True)
class Tool:
    """A program or a camera.

    Attributes:
        name: the common name; empty if it is not known, or if the value itself is the name, as for cameras.
        origin: the origin of a file that names it.
        pattern: matches a value that names it.
        fields: kinds of fields in which the pattern is searched.
    """

    name: str
    origin: OriginKind
    pattern: re.Pattern[str]
    fields: frozenset[FieldKind]


def _make_tools(origin: OriginKind, fields: Iterable[FieldKind], patterns: Mapping[str, str]) -> list[Tool]:
    return [Tool(name, origin, re.compile(pattern, re.IGNORECASE), frozenset(fields)) for name, pattern in patterns.items()]


# keys and formats in which only these programs store how a picture was made
_AI_SIGNATURES = {
    "SwarmUI": r'"sui_image_params"',
    "Fooocus": r'"fooocus_scheme"|"metadata_scheme"\s*:\s*"fooocus"|\bversion: *fooocus\b',
    "InvokeAI": r'"invokeai_\w+"|"sd-metadata"|"dream"|"model_weights"\s*:|"generation_mode"\s*:',
    "ComfyUI": r'"class_type"\s*:|"last_node_id"\s*:',
    "NovelAI": r'"request_type"\s*:\s*"PromptGenerateRequest"',
    "Stable Diffusion web UI": r"\bsteps: *\d+, *sampler: ",
    "Midjourney": r"\bjob id: *[0-9a-f]{8}-",
    "Google AI": r"\b(?:made|edited|created|generated) with google ai\b",
    "Meta AI": r"\b(?:made|imagined) with (?:meta )?ai\b",
    "": r"^\W*(?:ai|novelai|artificial intelligence)[ -]generated(?: (?:image|picture|video|content))?\W*$"
    r"|\bgenerated (?:with|by|using) (?:an? )?(?:ai|artificial intelligence)\b",
}
# Names count in fields that name a program, and in prose after "made with" and similar words, since a caption may mention OpenAI.
_AI_NAMES = {
    "Stable Diffusion": r"stable[ _-]?diffusion|\bsdxl\b|\bdreamstudio\b",
    "InvokeAI": r"\binvoke-?ai\b",
    "ComfyUI": r"\bcomfyui\b",
    "Fooocus": r"\bfooocus\b",
    "NovelAI": r"\bnovelai\b",
    "Midjourney": r"\bmidjourney\b",
    "Adobe Firefly": r"\bfirefly\b",
    "DALL-E": r"\bdall[·\s-]?e\b",
    "OpenAI Sora": r"\bsora\b",
    "OpenAI": r"\bopenai\b|\bchatgpt\b|\bgpt-4o\b",
    "Google Veo": r"\bveo\b",
    "Google Gemini": r"\bgemini\b",
    "Google Imagen": r"\bimagen\b",
    "Bing Image Creator": r"\bbing image creator\b|\bmicrosoft designer\b",
    "Leonardo.Ai": r"\bleonardo\.?ai\b",
    "Runway": r"\brunway(?:ml)?\b",
    "Pika": r"\bpika(?:labs)?\b",
    "Luma Dream Machine": r"\bluma(?:labs)?\b|\bdream machine\b",
    "Kling": r"\bkling(?:ai)?\b",
    "Hailuo": r"\bhailuo\b|\bminimax\b",
    "Grok": r"\bgrok\b|\bxai\b",
    "Flux": r"\bflux(?:\.?\d)?\b",
    "Ideogram": r"\bideogram\b",
    "PixVerse": r"\bpixverse\b",
    "Recraft": r"\brecraft\b",
    "Krea": r"\bkrea\b",
    "Vidu": r"\bvidu\b",
    "Draw Things": r"\bdraw things\b",
    "Easy Diffusion": r"\beasy diffusion\b",
    "Synthesia": r"\bsynthesia\b",
    "HeyGen": r"\bheygen\b",
}
_CREDITED = re.compile(
    r"\b(?:made|generated|created|produced|drawn)\s{1,9}(?:with|by|using|in|on)\s{1,9}(\S{1,40}(?:\s{1,9}\S{1,40}){0,2})", re.IGNORECASE
)
_EDITORS = {
    "Adobe Photoshop": r"\bphotoshop\b",
    "Adobe Lightroom": r"\blightroom\b",
    "Adobe Premiere": r"\bpremiere\b",
    "Adobe After Effects": r"\bafter effects\b",
    "Adobe Illustrator": r"\billustrator\b",
    "GIMP": r"\bgimp\b",
    "Affinity Photo": r"\baffinity\b",
    "Capture One": r"\bcapture one\b",
    "Snapseed": r"\bsnapseed\b",
    "PicsArt": r"\bpicsart\b",
    "Canva": r"\bcanva\b",
    "CapCut": r"\bcapcut\b|\blemon8\b",
    "DaVinci Resolve": r"\bdavinci\b|\bblackmagic design\b",
    "Final Cut Pro": r"\bfinal cut\b",
    "iMovie": r"\bimovie\b",
    "Kdenlive": r"\bkdenlive\b",
    "Blender": r"\bblender\b",
}
_ENCODERS = {
    "FFmpeg": r"\bLav[fc](?:\d|\b)|\bffmpeg\b",
    "x264": r"\bx26[45]\b",
    "HandBrake": r"\bhandbrake\b",
    "ImageMagick": r"\bimagemagick\b",
}
_ENCODERS |= {"OBS Studio": r"\bobs studio\b|\bobs-", "Pillow": r"\bpillow\b", "GStreamer": r"\bgstreamer\b"}

TOOLS: tuple[Tool, ...] = (
    *_make_tools("ai-generated", {"program", "prose", "settings"}, _AI_SIGNATURES),
    *_make_tools("ai-generated", {"label"}, {"AIGC label": r'\blabel"?\s{0,9}:\s{0,9}"?[123]\b'}),
    *_make_tools("ai-generated", {"program", "maker", "settings"}, _AI_NAMES),
    *_make_tools("edited", {"program"}, _EDITORS),
    *_make_tools("unknown", {"program"}, _ENCODERS),
    *_make_tools("camera", {"program", "settings"}, {"GoPro": r"\bgopro\b", "DJI": r"\bdji\b"}),
    *_make_tools("camera", {"maker"}, {"": r"\w"}),
    *_make_tools("ai-generated", {"system"}, {"": r"\w"}),
)
"""The first match counts. "AIGC label": the implicit label that GB 45438-2025 requires of services in China (1: is AI-generated, 2: may
be, 3: is suspected to be)."""


def find_tool(value: str, field: FieldKind) -> Tool | None:
    """Return the first of ``TOOLS`` that ``value``, the content of a field of this kind, names; None if it names none."""
    named = next((tool for tool in TOOLS if field in tool.fields and tool.pattern.search(value)), None)
    if named or field != "prose":
        return named
    credited = find_tool(" ".join(_CREDITED.findall(value)), "program")
    return credited if credited and credited.origin == "ai-generated" else None
