"""Render Markdown with GitHub's extensions, and check that hostile texts in it are plain text."""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

HOSTILE = [
    "[click](http://evil.example)",
    "![x](http://evil.example/pixel.png)",
    "http://evil.example/path",
    "see https://evil.example now",
    "www.evil.example",
    "WWW.evil.example",
    "mail me@evil.example",
    "<http://evil.example>",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "a|b",
    "a\\|[click](http://evil.example)",
    "`code`",
    "``[x](http://evil.example)``",
    "a`b``c",
    "**bold** _it_ ~~gone~~ ~sub~",
    "# heading",
    "- item",
    "1. item",
    "12) item",
    "> quote",
    "---",
    "===",
    "$x$",
    "line\nbreak\r\n\r\n# heading",
    "line\u2028break\x85# heading",
    "![](x)\n| a | b |\n| --- | --- |",
    "[x]: http://evil.example",
    "[^1]",
    "\\",
    "\\\\|",
    "\u202egnp.exe",
    "\x1b[31mred",
    "    indented",
    "",
    " ",
    "{{ 1 + 1 }}",
]
# GitHub's extension looks for bare addresses in the text that is left after parsing, as remark-gfm does, which Airflow uses
BARE_LINK = re.compile(r"(?:https?://|www(?=\.))[-.\w]+|(?:^|\s|[^\w\s])[-.\w+]+@[-\w]+(?:\.[-\w]+)+", re.IGNORECASE)
ALLOWED = {"table", "thead", "tbody", "tr", "th", "td", "inline", "text", "text_special", "paragraph"}


def render(markdown: str) -> list[Token]:
    """Return the tokens with those inside, as a renderer with GitHub's extensions sees them."""
    renderer = MarkdownIt("gfm-like", {"html": True})
    assert renderer.linkify
    renderer.linkify.set({"fuzzy_link": False})  # GitHub makes no link of a bare domain; ``BARE_LINK`` finds the rest
    tokens = renderer.parse(markdown)
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


def assert_plain(tokens: list[Token], allowed: set[str]) -> None:
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert kinds <= allowed, kinds - allowed
    for token in tokens:
        if token.type == "text":
            assert not BARE_LINK.search(token.content), token.content


def shown(tokens: list[Token]) -> str:
    return "".join(token.content for token in tokens if token.type in ("text", "text_special", "code_inline"))
