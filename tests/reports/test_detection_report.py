"""The detection report: one file that loads nothing and runs nothing, for any file name."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from realframe.presentation.wording import SCOPE
from realframe.reports.detection_report import OverviewRow, render_detection_report
from realframe.store.detection_documents import Detection, FrameScore, Tiles
from tests.detection_factory import NOT_JUDGED, PHOTO_FACTS, make_signed_detection, make_unscored_detection

SIDE = 16


class Page(HTMLParser):
    """Parse the tags and the text of a page."""

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
    """Return a sprite of five tiles in two columns, with gray levels 20 apart."""
    sheet = np.zeros((3 * SIDE, 2 * SIDE, 3), np.uint8)
    for place in range(5):
        row, column = divmod(place, 2)
        sheet[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] = 20 * place + shift
    data = io.BytesIO()
    Image.fromarray(sheet).save(data, "JPEG", quality=95)
    return data.getvalue()


def _make_with_images(**changed: object) -> tuple[Detection, bytes, bytes]:
    return make_signed_detection(tiles=Tiles(size=SIDE, columns=2, frame_indices=(0, 1, 2, 3, 4)), **changed), _sprite(0), _sprite(120)


def _gray_levels(page: Page) -> list[int]:
    pictures = [str(image["src"]) for image in page.named("img")]
    return [round(float(np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2])))).mean())) for picture in pictures]


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = Page(render_detection_report([_make_with_images(), (make_unscored_detection(), None, None)]))
    assert not page.named("script") and not page.named("link") and not page.named("iframe")
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert str(attributes.get(name) or "#").startswith(("#", "data:image/jpeg;base64,"))
    assert "url(" not in render_detection_report([_make_with_images()])


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_file_names_are_escaped(name: str) -> None:
    plain = Page(render_detection_report([(make_signed_detection(), None, None), (make_unscored_detection(), None, None)]))
    nasty = Page(render_detection_report([(make_signed_detection(file=name), None, None), (make_unscored_detection(name), None, None)]))
    assert [tag for tag, _ in nasty.tags] == [tag for tag, _ in plain.tags]


def test_the_picture_of_a_moment_is_its_peak_with_the_heatmap() -> None:
    assert _gray_levels(Page(render_detection_report([_make_with_images()]))) == pytest.approx([40, 160], abs=2)


def test_without_a_moment_the_peak_frame_is_shown() -> None:
    page = Page(render_detection_report([_make_with_images(moments=(), verdict="uncertain")]))
    assert _gray_levels(page) == pytest.approx([40, 160], abs=2)
    assert "the frame that looks most AI-generated" in page.words


def test_a_missing_peak_tile_is_replaced_by_the_nearest() -> None:
    detection, frames, heat = _make_with_images()
    thinned = detection.model_copy(update={"tiles": Tiles(size=SIDE, columns=2, frame_indices=(0, 1, 4))})
    assert _gray_levels(Page(render_detection_report([(thinned, frames, heat)]))) == pytest.approx([20, 140], abs=2)


def test_the_charts_match_the_numbers() -> None:
    page = Page(render_detection_report([_make_with_images()]))
    interval, marker, threshold = page.named("line")
    assert (interval["class"], interval["x1"], interval["x2"]) == ("interval", "80.0%", "96.0%")
    assert (marker["class"], marker["x1"], marker["x2"]) == ("marker", "90.0%", "90.0%")
    assert (threshold["class"], threshold["y1"]) == ("threshold", "50.0%")
    points = str(page.named("polyline")[0]["points"]).split()
    assert points[0] == "0,76.4"  # at 0 s the score 0.2, from 94 at the bottom to 6 at the top
    assert points[-1] == "80,67.6"  # at 8 of 10 s
    assert [(rect["x"], rect["width"]) for rect in page.named("rect") if rect["class"] == "moment"] == [("20.0", "20.0")]


def test_attention_is_drawn_where_frames_have_no_score() -> None:
    shares = (0.1, 0.2, 0.5, 0.1, 0.1)
    frames = tuple(FrameScore(time_s=2 * place, score=None, attention=share) for place, share in enumerate(shares))
    words = Page(render_detection_report([(make_signed_detection(frames=frames), None, None)])).words
    assert "How much each frame weighs" in words
    silent = tuple(FrameScore(time_s=2 * place, score=None, attention=None) for place in range(5))
    assert not Page(render_detection_report([(make_signed_detection(frames=silent, moments=()), None, None)])).named("polyline")


def test_provenance_is_separate_and_escaped() -> None:
    words = Page(render_detection_report([(make_signed_detection(), None, None)])).words
    assert "do not affect the verdict" in words
    assert "<script>alert(1)</script>" in words
    assert "CN=<b>Maker</b>" in words
    assert "valid signature, but the signer is not on the trust list" in words


def test_cautions_facts_and_times_are_shown() -> None:
    words = re.sub(r"\s+", " ", Page(render_detection_report([(make_signed_detection(), None, None)])).words)
    for part in (
        "It looks unlike everything.",
        "version 7",
        "640 x 360 pixels",
        "decoding 1.50 s",
        "ab" * 32,
        "0.9000, 95 % interval 0.8000",
    ):
        assert part in words


def test_without_a_verdict_the_reason_is_in_its_place_and_no_probability_beside_it() -> None:
    abstains = make_signed_detection(file="no.mp4", verdict="uncertain", abstention=NOT_JUDGED)
    for detections in ([abstains], [abstains, make_signed_detection()]):
        text = render_detection_report([(detection, None, None) for detection in detections])
        words = re.sub(r"\s+", " ", Page(text).words)
        assert f"Uncertain {NOT_JUDGED.reason}" in words
        assert words.index(SCOPE) < words.index(NOT_JUDGED.reason)
        shown, _, details = text[text.index('class="answer" id="file-1"') :].partition("<details>")
        assert "%" not in Page(shown).words.replace(NOT_JUDGED.reason, "")
        assert "0.9000" in details
    assert "too often wrong on new sources" in words


def test_several_files_have_an_overview_and_one_has_none() -> None:
    several = Page(
        render_detection_report(
            [
                _make_with_images(),
                (make_signed_detection(file="photo.jpg", facts=PHOTO_FACTS, frames=(), moments=()), None, None),
                (make_unscored_detection(), None, None),
            ]
        )
    )
    assert [link["href"] for link in several.named("a")] == ["#file-1", "#file-2", "#file-3"]
    assert "media.not-media" in several.words
    assert not Page(render_detection_report([_make_with_images()])).named("a")


def test_an_overview_may_list_more_files_than_sections() -> None:
    lines = [
        OverviewRow.from_detection(make_signed_detection()).with_section(1),
        *(OverviewRow.from_detection(make_unscored_detection(f"{number}.mp4")) for number in range(40)),
    ]
    page = Page(render_detection_report([_make_with_images()], lines))
    assert "41 files" in page.words
    assert len(page.named("a")) == 1
    assert "1 of them have a section of their own below: those with a verdict" in page.words
