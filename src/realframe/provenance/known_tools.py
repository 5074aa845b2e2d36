"""The programs and cameras that write their names into files, and what a file that names them amounts to. One table: add to it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from realframe.provenance.origin import OriginKind

Field = Literal["program", "maker", "prose", "settings", "label", "system"]
"""What stands in a field of metadata: ``program`` the name of software; ``maker`` the make or model of a camera; ``prose`` what people may
have written; ``settings`` what a program leaves for itself; ``label`` the label of GB 45438; ``system`` the AI that was used."""


@dataclass(frozen=True)
class Tool:
    """A program or a camera.

    Attributes:
        name: as people know it; empty where it is not known, or the value itself is the name, as with cameras.
        says: what it makes of a file that names it.
        pattern: finds it in a value.
        fields: in which it may be found.
    """

    name: str
    says: OriginKind
    pattern: re.Pattern[str]
    fields: frozenset[Field]


def _tools(says: OriginKind, fields: Iterable[Field], patterns: Mapping[str, str]) -> list[Tool]:
    return [Tool(name, says, re.compile(pattern, re.IGNORECASE), frozenset(fields)) for name, pattern in patterns.items()]


# Their own keys and forms, in which programs write down how a picture was made: nobody else writes like that.
_FORMS = {
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
# Names, which count where a program is named, and in prose after "made with" and the like: a caption may speak of OpenAI.
_NAMES = {
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
_PLAIN = {
    "FFmpeg": r"\bLav[fc](?:\d|\b)|\bffmpeg\b",
    "x264": r"\bx26[45]\b",
    "HandBrake": r"\bhandbrake\b",
    "ImageMagick": r"\bimagemagick\b",
}
_PLAIN |= {"OBS Studio": r"\bobs studio\b|\bobs-", "Pillow": r"\bpillow\b", "GStreamer": r"\bgstreamer\b"}

TOOLS: tuple[Tool, ...] = (
    *_tools("ai-generated", {"program", "prose", "settings"}, _FORMS),
    *_tools("ai-generated", {"label"}, {"AIGC label": r'\blabel"?\s{0,9}:\s{0,9}"?[123]\b'}),
    *_tools("ai-generated", {"program", "maker", "settings"}, _NAMES),
    *_tools("edited", {"program"}, _EDITORS),
    *_tools("unknown", {"program"}, _PLAIN),
    *_tools("camera", {"program", "settings"}, {"GoPro": r"\bgopro\b", "DJI": r"\bdji\b"}),
    *_tools("camera", {"maker"}, {"": r"\w"}),
    *_tools("ai-generated", {"system"}, {"": r"\w"}),
)
"""The first that is found counts. "AIGC label": the implicit label that GB 45438-2025 asks of services in China (1: is AI-generated, 2: may
be, 3: is suspected to be)."""


def tool_in(value: str, field: Field) -> Tool | None:
    """Return the first of the ``TOOLS`` that ``value``, which stands in a ``field`` of that sort, names; None where it names none."""
    found = next((tool for tool in TOOLS if field in tool.fields and tool.pattern.search(value)), None)
    if found or field != "prose":
        return found
    credited = tool_in(" ".join(_CREDITED.findall(value)), "program")
    return credited if credited and credited.says == "ai-generated" else None
