"""The tables on the terminal show whole addresses, paths and square brackets, however narrow the terminal is."""

from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from realframe.presentation.terminal_table import make_table

ADDRESS = "http://127.0.0.1:5000/#/experiments/1?workflowType=machine_learning"


@pytest.mark.parametrize("has_lines", [True, False])
def test_a_narrow_terminal_folds_what_it_cannot_show_in_one_line(has_lines: bool) -> None:
    output = StringIO()
    table = make_table(("service", "address", "install"), [(Text("MLflow", "green"), ADDRESS, "dvc[s3]")], has_lines=has_lines)
    Console(file=output, width=50).print(table)
    assert "\N{HORIZONTAL ELLIPSIS}" not in output.getvalue()
    cells = [line.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split() for line in output.getvalue().splitlines()]
    assert ADDRESS in "".join(word for line in cells for word in line if word not in ("MLflow", "dvc[s3]"))
    assert "dvc[s3]" in output.getvalue()


def test_without_titles_there_is_no_head() -> None:
    output = StringIO()
    Console(file=output, width=50).print(make_table(("", ""), [("a", "b")], title="next"))
    assert len(output.getvalue().splitlines()) == 4
