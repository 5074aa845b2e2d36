"""A stage prints its fate in one line, its own output passes unchanged, and DVC's routine messages are left out."""

import re
from pathlib import Path

import pytest

from realframe.errors import RunError
from realframe.runs.pipeline_run import PipelineRun
from realframe.runs.run_lifecycle import open_run
from realframe.runs.stage_graph import run_stage
from realframe.settings import Settings
from tests.runs.conftest import MakeHome

STAGES = """stages:
  copy:
    cmd: echo 'copied'; echo 'a remark' >&2; cp params.yaml copy.txt
    deps: [params.yaml]
    outs: [copy.txt]
    meta: {dag: prepare_data}
  broken:
    cmd: echo 'why it broke' >&2; exit 3
    deps: [params.yaml]
    outs: [broken.txt]
    meta: {dag: prepare_data}
"""
ROUTINE = ("lock file", "dvc push", "Running stage", "skipping", "up to date")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def home(make_home: MakeHome) -> Settings:
    return make_home(STAGES)


def _run(home: Settings, name: str) -> PipelineRun:
    return open_run("prepare_data", home, name=name)


def test_a_stage_runs_is_unchanged_or_is_cached(home: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    first, second = _run(home, "one"), _run(home, "two")
    capfd.readouterr()
    run_stage(first, "copy", home)
    printed = capfd.readouterr()
    assert re.fullmatch(r"stage copy: running\ncopied\nstage copy: done \([\d.]+ s\)\n", printed.out)
    assert printed.err == "a remark\n"
    run_stage(first, "copy", home)
    printed = capfd.readouterr()
    assert re.fullmatch(r"stage copy: unchanged \([\d.]+ s\)\n", printed.out)
    assert printed.err == ""
    run_stage(second, "copy", home)
    printed = capfd.readouterr()
    assert re.fullmatch(r"stage copy: cached, outputs restored \([\d.]+ s\)\n", printed.out)
    assert printed.err == ""
    assert (second.folder(home) / "copy.txt").exists()


def test_a_failed_stage_prints_its_message_and_that_of_dvc(home: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    run = _run(home, "one")
    capfd.readouterr()
    with pytest.raises(RunError, match=r"stage broken: failed with status \d+\. See its message above\. It ran in ") as failure:
        run_stage(run, "broken", home)
    printed = capfd.readouterr()
    assert re.fullmatch(r"stage broken: running\nstage broken: failed \([\d.]+ s\)\n", printed.out)
    assert printed.err.startswith("why it broke\n")
    assert "exited with 3" in printed.err
    assert not [words for words in ROUTINE if words in printed.out + printed.err]
    stored = PipelineRun.load(run.id, home)
    assert (stored.state(home), stored.error) == ("failed", str(failure.value))


def test_a_reason_that_only_dvc_knows_is_printed(home: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    run = _run(home, "one")
    (run.folder(home) / "dvc.lock").write_text("stages: 3\n")
    capfd.readouterr()
    with pytest.raises(RunError):
        run_stage(run, "copy", home)
    printed = capfd.readouterr()
    assert printed.out.startswith("stage copy: could not be run (")
    assert "dvc.lock" in printed.err


def test_a_failed_dvc_command_states_dvcs_reason(home: Settings) -> None:
    from realframe.runs.git_dvc import dvc

    with pytest.raises(RunError, match="nonesuch"):
        dvc(home.root, "pull", "nonesuch.dvc")


def test_the_stage_script_needs_no_code_of_the_worktree(root: Path) -> None:
    text = (root / "src" / "realframe" / "runs" / "dvc_stage.py").read_text()
    assert "import realframe" not in text and "from realframe" not in text
