"""Detections as table rows."""

import csv
import io

from realframe.presentation.result_rows import COLUMNS, FRAME_COLUMNS, build_detection_row, escape_formulas, iter_csv_lines, iter_frame_rows
from tests.detection_factory import make_detection, make_record


def test_a_row_has_every_column() -> None:
    row = build_detection_row(make_detection())
    assert tuple(row) == COLUMNS
    assert (row["verdict"], row["moments"], row["kind"]) == ("ai-generated", "6.000-7.000", "video")


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
