"""One root: commands and runs in a git worktree use that worktree, and another project that uses DVC is never taken for this one."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from realframe.cli import app
from realframe.config import read_yaml
from realframe.errors import SetupError
from realframe.runs import run_lifecycle
from realframe.services.doctor import run_checks
from realframe.settings import Settings, get_settings

_IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@localhost")
Enter = Callable[[Path], Settings]


@pytest.fixture
def enter(embedded_uri: str, monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Change the working folder, and return the settings of a process that starts there."""
    for name in ("REALFRAME_ROOT", "REALFRAME_HOME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MONGODB_URI", embedded_uri)

    def change(folder: Path) -> Settings:
        monkeypatch.chdir(folder)
        get_settings.cache_clear()
        return get_settings()

    return change


@pytest.fixture
def main(checkout: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "main"
    subprocess.run(["git", "clone", "-q", str(checkout), str(folder)], check=True)
    return folder


@pytest.fixture
def second(main: Path) -> Path:
    """A git worktree with another seed, committed."""
    folder = main.parent / "second"
    subprocess.run(["git", "worktree", "add", "-q", str(folder), "-b", "exp"], cwd=main, check=True)
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("seed: 42", "seed: 7", 1))
    subprocess.run(["git", *_IDENTITY, "commit", "-q", "-am", "seed 7"], cwd=folder, check=True)
    return folder


def _run(*command: str) -> Result:
    return CliRunner().invoke(app, list(command))


@pytest.mark.slow
def test_all_commands_in_a_worktree_use_that_worktree(main: Path, second: Path, tmp_path: Path, enter: Enter) -> None:
    settings = enter(second / "src")
    assert (settings.root, settings.state_dir) == (second, main / ".realframe"), "the state, and so the registry, is shared"
    shown = _run("params")
    assert shown.exit_code == 0
    assert [line.split("│")[2].strip() for line in shown.stdout.splitlines() if " seed " in line] == ["7"]

    for label in ("real", "fake"):
        (tmp_path / "in" / label).mkdir(parents=True)
        Image.effect_noise((64, 64), 50 + len(label)).convert("RGB").save(tmp_path / "in" / label / f"{label}.png")
    assert _run("ingest", str(tmp_path / "in")).exit_code == 0
    assert len(list((second / "data" / "raw").rglob("*.png"))) == 2
    assert not list((main / "data" / "raw").rglob("*.png"))

    run = run_lifecycle.open_run("prepare_data", settings)
    assert read_yaml(run.folder(settings) / "params.yaml")["seed"] == 7
    assert enter(run.folder(settings)).root == main, "a person who looks into the folder of a run"
    config = (second / ".dvc" / "config.local").read_text()
    assert f"dir = {main / '.dvc' / 'cache'}" in config, "the worktrees of a repository share their data"


def test_another_project_that_uses_dvc_is_not_the_root(main: Path, tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in (tmp_path / "other", main / "nested"):
        other.mkdir()
        (other / "dvc.yaml").write_text("stages: {}\n")
        (other / "pyproject.toml").write_text('[project]\nname = "other"\n')
        subprocess.run(["git", "init", "-q"], cwd=other, check=True)
        assert other not in (root := enter(other).root, *root.parents)
        assert root != main

    monkeypatch.setenv("REALFRAME_ROOT", str(tmp_path / "other"))
    enter(tmp_path)
    for command in (["ingest", str(tmp_path)], ["params"], ["run", "prepare_data"]):
        error = _run(*command).exception
        assert isinstance(error, SetupError), command
        assert str(error).startswith(f"{tmp_path / 'other'}: is not a checkout of realframe. Change to a checkout")
    assert not (tmp_path / "other" / "data").exists()


def test_doctor_prints_the_root_and_where_it_comes_from(main: Path, second: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = {finding.check: finding.detail for finding in run_checks(enter(second))}
    assert findings["root"] == f"{second} (found from the working folder or the installed package)"
    assert findings["state"] == str(main / ".realframe")
    monkeypatch.setenv("REALFRAME_ROOT", str(main / "nonesuch"))
    (finding,) = run_checks(enter(second))
    assert (finding.status, finding.detail) == ("missing", f"{main / 'nonesuch'} does not exist")
