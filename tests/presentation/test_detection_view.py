"""A detection prepared for display: every part of a page writes the same thing the same way, and the HTML report agrees."""

import re
from dataclasses import replace

from realframe.presentation.detection_view import DetectionView
from realframe.provenance.origin import FileCheck
from realframe.provenance.origin_reader import ORIGIN_CHECKS
from realframe.reports.detection_report import render_detection_report
from realframe.store.detection_documents import Detection, FrameScore, Moment
from tests.detection_factory import NO_ORIGIN, NOT_JUDGED, make_detection, make_record


def _late_peak() -> Detection:
    """A video whose most suspicious frame is at 59.6 s, which rounds to 1:00 and is cut off to 0:59."""
    times = (0.0, 30.0, 59.6)
    frames = tuple(FrameScore(time_s=time, score=score, attention=None) for time, score in zip(times, (0.1, 0.2, 0.997), strict=True))
    facts = make_detection().facts
    assert facts is not None
    return make_detection(
        frame_count=8,
        facts=facts.model_copy(update={"duration_s": 61.0}),
        moments=(Moment(start_s=59.6, end_s=59.6, peak_s=59.6, score=0.997),),
        tiles=None,
        probability=0.997,
    ).model_copy(update={"frames": frames})


def test_one_moment_has_one_time_everywhere() -> None:
    detection = _late_peak()
    view = DetectionView.from_detection(detection)
    assert view.timeline
    written = [
        view.moments[0].time,
        view.peak_caption,
        view.timeline.label,
        view.meaning[-1],
        render_detection_report([(detection, None, None)]),
    ]
    assert all("0:59" in text for text in written)
    assert not any("1:00" in re.sub(r'<svg class="ticks".*?</svg>', "", text) for text in written)


def test_page_and_report_have_the_same_words_and_facts() -> None:
    detection = _late_peak()
    view, of_upload = DetectionView.from_detection(detection), DetectionView.from_record(make_record(detection))
    assert of_upload
    assert (view.headline, view.meaning, view.limitations, view.scale, view.timeline) == (
        of_upload.headline,
        of_upload.meaning,
        of_upload.limitations,
        of_upload.scale,
        of_upload.timeline,
    )
    assert set(dict(of_upload.facts)) - set(dict(view.facts)) == {"Uploaded"}
    report = render_detection_report([(detection, None, None)])
    assert all(value in report for _, value in view.facts)


def test_an_upload_without_a_result_has_no_view() -> None:
    assert DetectionView.from_record(make_record(None)) is None


def test_without_a_verdict_nothing_is_drawn_that_contradicts_it() -> None:
    view = DetectionView.from_detection(_late_peak().model_copy(update={"verdict": "uncertain", "abstention": NOT_JUDGED}))
    assert (view.scale, view.timeline, view.moments, view.interval) == (None, None, (), "")
    facts = dict(view.facts)
    assert facts["Calibrated probability"].startswith("0.9900")
    assert "supports no verdict" in facts["Calibrated probability"]


def test_each_state_of_a_check_has_its_own_words() -> None:
    states = ("found", "not-found", "could-not-check")
    checks = tuple(FileCheck(name, state, "why") for name, state in zip(ORIGIN_CHECKS, states, strict=True))
    detection = make_detection(provenance=replace(NO_ORIGIN, checks=checks))
    view = DetectionView.from_detection(detection)
    assert [check.outcome for check in view.checks] == ["found", "not found", "could not be checked", "not found"]
    report = render_detection_report([(detection, None, None)])
    lists = re.findall(r"<li class=\"([\w-]+)\"><span class=\"sign\" aria-hidden=\"true\">(.)</span><span>[^<]*<b>([^<]*)</b>", report)
    signs = {"found": "\N{CHECK MARK}", "not-found": "\N{EN DASH}", "could-not-check": "?"}
    assert lists[:3] == [(check.state, signs[check.state], check.outcome) for check in view.checks[:3]]
