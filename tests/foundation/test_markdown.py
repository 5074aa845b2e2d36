"""Texts from outside stay plain text in Markdown: rendered with GitHub's extensions, they are what they were and nothing else."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realframe.markdown import escape_markdown, format_code_span, format_table, make_single_line
from tests.markdown_rendering import ALLOWED, HOSTILE, assert_plain, render, shown

texts = st.text(st.sampled_from(list("ab1. \\`*_[]()<>&~|!#$^{}:/@-+=>\n\r\t\x00\u2028\u202ehtpw.é")), max_size=30) | st.sampled_from(
    HOSTILE
)


@settings(max_examples=400, deadline=None)
@given(texts, texts)
@example("\\", "|")
@example("a\\", "b")
def test_escaped_texts_are_plain_in_a_table(one: str, other: str) -> None:
    tokens = render(format_table(("file", "reason"), [(escape_markdown(one), escape_markdown(other))]))
    assert_plain(tokens, ALLOWED)
    cells = [token for token in tokens if token.type == "inline"]
    assert [cell.content for cell in cells[:2]] == ["file", "reason"]
    assert len(cells) == 4
    plain = [shown(list(cell.children or ())).replace("\N{ZERO WIDTH SPACE}", "") for cell in cells[2:]]
    assert plain == [make_single_line(one).replace("\N{ZERO WIDTH SPACE}", ""), make_single_line(other).replace("\N{ZERO WIDTH SPACE}", "")]


@settings(max_examples=400, deadline=None)
@given(texts)
def test_an_escaped_text_is_a_plain_paragraph(text: str) -> None:
    tokens = render(escape_markdown(text))
    assert_plain(tokens, ALLOWED)
    assert shown(tokens).replace("\N{ZERO WIDTH SPACE}", "") == make_single_line(text).replace("\N{ZERO WIDTH SPACE}", "")


@settings(max_examples=400, deadline=None)
@given(texts)
def test_a_code_span_holds_the_whole_text(text: str) -> None:
    tokens = render(format_table(("file", "score"), [(format_code_span(text), "0.5")]))
    assert_plain(tokens, ALLOWED | {"code_inline"})
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 4
    assert shown(list(cells[2].children or ())).replace("\N{ZERO WIDTH SPACE}", "").strip() == make_single_line(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_known_attack_comes_alive(text: str) -> None:
    for markdown in (
        escape_markdown(text),
        f"> **Note:** {escape_markdown(text)}",
        f"- {format_code_span(text)}",
        f"## {escape_markdown(text)}",
    ):
        kinds = {token.type for token in render(markdown)}
        assert not kinds & {"link_open", "image", "html_inline", "html_block", "em_open", "s_open", "fence", "hr", "table_open"}
        assert len([kind for kind in kinds if kind == "heading_open"]) <= 1
