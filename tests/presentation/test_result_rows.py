"""Detections as table rows."""

import csv
import io

from realframe.presentation.result_rows import COLUMNS, FRAME_COLUMNS, build_detection_row, escape_formulas, iter_csv_lines, iter_frame_rows
from realframe.presentation.wording import SCOPE
from realframe.store.detection_documents import ProbabilityInterval
from tests.detection_factory import NOT_JUDGED, make_detection, make_record


def test_a_row_has_every_column() -> None:
    row = build_detection_row(make_detection())
    assert tuple(row) == COLUMNS
    assert (row["verdict"], row["moments"], row["kind"]) == ("ai-generated", "6.000-7.000", "video")


def test_a_row_says_what_stands_with_its_verdict() -> None:
    row = build_detection_row(make_detection(probability=1.0, interval=ProbabilityInterval(low=0.0, high=1.0)))
    assert (row["basis"], row["probability"], row["low"], row["high"]) == ("", 0.99, 0.01, 0.99)
    assert row["checks"] == "content-credentials=not-found metadata=not-found tools=not-found damage=not-found"
    assert row["scope"] == SCOPE
    abstains = make_detection(probability=1.0, verdict="uncertain", abstention=NOT_JUDGED)
    for row in (build_detection_row(abstains), *iter_frame_rows(abstains)):
        assert (row["verdict"], row["basis"], row["probability"], row["scope"]) == ("uncertain", NOT_JUDGED.reason, None, SCOPE)
    row = build_detection_row(abstains)
    assert (row["low"], row["high"], row["score"]) == (None, None, 1.0)


def test_each_frame_has_a_row_and_a_file_without_frames_has_one() -> None:
    rows = list(iter_frame_rows(make_detection(frame_count=8)))
    assert [row["time_s"] for row in rows] == [float(index) for index in range(8)]
    assert all(set(row) == set(FRAME_COLUMNS) for row in rows)
    assert len(list(iter_frame_rows(make_detection(frame_count=8).model_copy(update={"frames": ()})))) == 1


def test_no_cell_is_a_formula() -> None:
    assert escape_formulas({"file": "=cmd.mp4", "message": "+1", "score": -0.5}) == {"file": "./=cmd.mp4", "message": "'+1", "score": -0.5}


def test_a_file_that_is_not_done_has_its_state_in_place_of_the_verdict() -> None:
    done, queued = csv.DictReader(io.StringIO("".join(iter_csv_lines([make_record(make_detection()), make_record(None)]))))
    assert (done["verdict"], queued["verdict"]) == ("ai-generated", "queued")
