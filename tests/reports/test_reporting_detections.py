"""The report on files: one file that loads nothing and runs nothing, whatever the files are called."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from realframe.reports.detection_report import Line, html
from realframe.store.detection_documents import Detection, FrameScore, Tiles
from tests.reports.detections_said import PHOTO, said, unscored

SIDE = 16


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _sprite(shift: int) -> bytes:
    """Five tiles of one grey each, 20 apart, in two columns."""
    sheet = np.zeros((3 * SIDE, 2 * SIDE, 3), np.uint8)
    for place in range(5):
        row, column = divmod(place, 2)
        sheet[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] = 20 * place + shift
    data = io.BytesIO()
    Image.fromarray(sheet).save(data, "JPEG", quality=95)
    return data.getvalue()


def _drawn(**changed: object) -> tuple[Detection, bytes, bytes]:
    return said(tiles=Tiles(size=SIDE, columns=2, shown=(0, 1, 2, 3, 4)), **changed), _sprite(0), _sprite(120)


def _greys(page: Page) -> list[int]:
    pictures = [str(image["src"]) for image in page.named("img")]
    return [round(float(np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2])))).mean())) for picture in pictures]


def test_it_loads_nothing_and_runs_nothing() -> None:
    page = Page(html([_drawn(), (unscored(), None, None)]))
    assert not page.named("script") and not page.named("link") and not page.named("iframe")
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert str(attributes.get(name) or "#").startswith(("#", "data:image/jpeg;base64,"))
    assert "url(" not in html([_drawn()])


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_name_stays_text(name: str) -> None:
    plain = Page(html([(said(), None, None), (unscored(), None, None)]))
    nasty = Page(html([(said(file=name), None, None), (unscored(name), None, None)]))
    assert [tag for tag, _ in nasty.tags] == [tag for tag, _ in plain.tags]


def test_the_picture_of_a_moment_is_its_peak_with_its_overlay() -> None:
    assert _greys(Page(html([_drawn()]))) == pytest.approx([40, 160], abs=2)


def test_without_a_moment_it_is_the_frame_that_looks_most_ai_generated() -> None:
    page = Page(html([_drawn(moments=(), verdict="uncertain")]))
    assert _greys(page) == pytest.approx([40, 160], abs=2)
    assert "the frame that looks most AI-generated" in page.words


def test_a_peak_that_is_not_shown_has_the_nearest_frame() -> None:
    detection, frames, heat = _drawn()
    thinned = detection.model_copy(update={"tiles": Tiles(size=SIDE, columns=2, shown=(0, 1, 4))})
    assert _greys(Page(html([(thinned, frames, heat)]))) == pytest.approx([20, 140], abs=2)


def test_the_drawing_stands_where_the_numbers_say() -> None:
    page = Page(html([_drawn()]))
    assert {"class": "whisker", "d": "M800.0 15H960.0"} in page.named("path")
    assert "M900.0 15h0" in [path.get("d") for path in page.named("path")]
    points = str(page.named("polyline")[0]["points"]).split()
    assert points[0] == "0.0,128.0"  # at 0 s the score 0.2, of a height of 160
    assert points[-1] == "1000.0,112.0"
    assert [(rect["x"], rect["width"]) for rect in page.named("rect") if rect["class"] == "span"] == [("250.0", "250.0")]


def test_attention_is_drawn_where_frames_have_no_score() -> None:
    shares = (0.1, 0.2, 0.5, 0.1, 0.1)
    frames = tuple(FrameScore(time_s=2 * place, score=None, attention=share) for place, share in enumerate(shares))
    words = Page(html([(said(frames=frames), None, None)])).words
    assert "How much each frame weighs" in words
    silent = tuple(FrameScore(time_s=2 * place, score=None, attention=None) for place in range(5))
    assert not Page(html([(said(frames=silent, moments=()), None, None)])).named("polyline")


def test_what_the_file_says_of_itself_stands_apart_and_as_text() -> None:
    words = Page(html([(said(), None, None)])).words
    assert "no part of it" in words
    assert "<script>alert(1)</script>" in words
    assert "CN=<b>Maker</b>" in words
    assert "rightly signed, by somebody who is not on the trust list" in words


def test_cautions_facts_and_times_are_there() -> None:
    words = re.sub(r"\s+", " ", Page(html([(said(), None, None)])).words)
    for part in (
        "It looks unlike everything.",
        "version 7",
        "640 x 360 pixels",
        "decoding 1.50 s",
        "ab" * 32,
        "0.9000, 95 % interval 0.8000",
    ):
        assert part in words


def test_several_files_have_an_overview_and_one_has_none() -> None:
    several = Page(html([_drawn(), (said(file="photo.jpg", facts=PHOTO, frames=(), moments=()), None, None), (unscored(), None, None)]))
    assert [link["href"] for link in several.named("a")] == ["#file-1", "#file-2", "#file-3"]
    assert "media.not-media" in several.words
    assert not Page(html([_drawn()])).named("a")


def test_an_overview_may_hold_more_files_than_have_a_section() -> None:
    lines = [Line.of(said()).at(1), *(Line.of(unscored(f"{number}.mp4")) for number in range(40))]
    page = Page(html([_drawn()], lines))
    assert "41 files" in page.words
    assert len(page.named("a")) == 1
    assert "The 1 that look most AI-generated" in page.words
