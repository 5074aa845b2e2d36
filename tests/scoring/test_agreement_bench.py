"""``make agree`` counts the files that both entry points scored, whatever their verdicts are."""

from pathlib import Path
from typing import Any

import pytest

from bench.agreement import compare_results


def _result(file: str, verdict: str, probability: float | None) -> dict[str, Any]:
    return {"file": file, "verdict": verdict, "code": "", "probability": probability}


@pytest.mark.parametrize(
    ("remote", "status", "counted", "named"),
    [
        (("real", 0.2), 0, "3 files, 2 of them scored by both", "none"),
        (("uncertain", 0.2), 1, "3 files, 2 of them scored by both", "a.png"),
        (("not scored", None), 1, "3 files, 1 of them scored by both", "a.png"),
        (("real", 0.3), 1, "3 files, 2 of them scored by both; the largest difference of a probability is 1.0e-01", "none"),
    ],
)
def test_a_mismatch_does_not_hide_the_scored_files(
    remote: tuple[str, float | None], status: int, counted: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [Path(name) for name in ("a.png", "b.png", "broken.mp4")]
    local = [_result("a.png", "real", 0.2), _result("b.png", "ai-generated", 0.9), _result("broken.mp4", "not scored", None)]
    other = [_result("a.png", *remote), *local[1:]]
    by_command, by_service = ({result["file"]: result for result in results} for results in (local, other))
    assert compare_results(files, by_command, by_service) == status
    printed = capsys.readouterr().out
    assert counted in printed
    assert f"files with different verdicts: {named}\n" in printed
