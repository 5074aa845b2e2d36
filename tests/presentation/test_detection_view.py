"""A detection prepared for display: every part of a page writes the same thing the same way, and the HTML report agrees."""

import re

from realframe.presentation.detection_view import DetectionView
from realframe.reports.detection_report import render_detection_report
from realframe.store.detection_documents import Detection, FrameScore, Moment
from tests.detection_factory import make_detection, make_record


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
