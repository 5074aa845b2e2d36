"""What is tried in a sandbox stays there."""

from pathlib import Path

from realframe.runs.git_dvc import git
from realframe.runs.worktree import open_sandbox, without_servers
from realframe.services.airflow_home import environment
from realframe.settings import Settings


def test_a_sandbox_has_a_state_of_its_own(checkout: Path, tmp_path: Path) -> None:
    settings = Settings(root=checkout, home=tmp_path / "state", mongodb_uri="mongodb://a.server")
    assert settings.state == tmp_path / "state"
    sandbox = open_sandbox("demo", settings)
    assert sandbox.root == settings.state / "demo"
    assert sandbox.state == sandbox.root / ".realframe"
    assert sandbox.raw_dir.is_relative_to(sandbox.root)
    assert sandbox.mongodb_uri is None
    env = without_servers(environment(sandbox))
    assert env["REALFRAME_HOME"] == str(sandbox.state)
    assert "MONGODB_URI" not in env


def test_it_follows_the_checkout(checkout: Path, tmp_path: Path) -> None:
    settings = Settings(root=checkout, home=tmp_path / "state")
    open_sandbox("demo", settings)
    again = open_sandbox("demo", settings)
    assert git(again.root, "rev-parse", "HEAD") == git(checkout, "rev-parse", "HEAD")
